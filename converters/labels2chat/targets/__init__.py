"""The shapes of a line, one module each, and beside them the profiles of who takes it.

A shape is `encode(example, **options) -> [pieces of the line]` and `decode(line, folder) -> (Example, problems)`, where
`folder` is the one that the line's file paths start from. `side_files(out, manifest) -> {name: chunks}` writes what a
trainer wants beside the lines, and `columns(method) -> {name: kind}` says what a line holds, where images stand in a
column of their own. Modules with an underscore are what the shapes share.
"""
