"""The order of things: find the files, check them piece by piece, and say what is wrong in the files' order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from labels2chat.check import Tally, check_bytes, check_file
from labels2chat.errors import WARNINGS, UsageError
from labels2chat.target import Target, load_target
from labels2chat.types import Problem
from labels2chat.validate import folder as folders
from labels2chat.validate import mended
from labels2chat.validate.finding import Finding, Verdict, finding
from labels2chat.validate.piece import Job, Piece, Row, check_piece, pieces
from labels2chat.validate.pool import in_order
from labels2chat.validate.repair import SHAPES
from labels2chat.validate.seen import Seen

if TYPE_CHECKING:
    from labels2chat.urls import UrlChecker

_WORTH_PROCESSES = 64 << 20
"""Bytes below which the files are checked before other processes would have started."""
_LINE_BITS = 40


def validate(
    paths: list[str | Path],
    target: Target | str | None = None,
    found: Callable[[Finding], None] = lambda _: None,
    progress: Callable[[int, int], None] = lambda *_: None,
    *,
    workers: int = 1,
    fix: str | Path | None = None,
    pixels: bool = False,
    urls: UrlChecker | None = None,
) -> Verdict:
    """Check JSONL files, or folders of them; each finding goes to `found` as soon as it is made, in the files' order.

    A folder with a manifest is also held against it: hashes, counts, the accounting. Where no target is given, such
    a folder's own is taken, and openai for everything else. `progress` gets (bytes read, bytes in all).
    `workers` processes share the work; a script that asks for more than one keeps its own work under
    `if __name__ == "__main__"`. `pixels` decodes every inlined image, `urls` fetches the beginnings of the others.
    `fix` is the folder to write mended files to, for targets of the chat shape.
    Raises SourceError when there is nothing to read, OutputError when the mended files can't be written.
    """
    files, manifests = folders.find([Path(path) for path in paths])
    given = load_target(target or "openai") if not isinstance(target, Target) else target
    own = {folder: given if target is not None else manifest.load_target() for folder, manifest in manifests.items()}
    rules = [own.get(folder, given) if folder is not None else given for _, folder in files]
    out = Path(fix) if fix is not None else None
    if out is not None:
        other = next((rule for rule in rules if rule.shape not in SHAPES), None)
        if other is not None:
            raise UsageError(f"--fix mends files of the chat shape; {other.name} has the shape {other.shape}")
        mended.make_folder(out, [path for path, _ in files])
    sizes = [path.stat().st_size if path.is_file() else None for path, _ in files]
    total = sum(size or 0 for size in sizes)
    private = urls is not None and urls.allow_private
    jobs = [
        job
        for number, (path, _) in enumerate(files)
        for job in pieces(
            Job(number, str(path), 0, sizes[number], rules[number], out is not None, urls is not None, pixels, private)
        )
    ]
    course = _Course(files, rules, found, out, urls)
    with ThreadPoolExecutor(1, thread_name_prefix="hash") as thread:
        hashes: dict[Path, Future[str]] = {
            path: thread.submit(folders.sha256, path) for path, folder in files if folder in manifests
        }
        try:
            for piece in in_order(check_piece, jobs, workers if total >= _WORTH_PROCESSES else 1):
                course.take(piece)
                progress(min(sum(size or 0 for size in sizes[: piece.job.file]) + (piece.job.stop or 0), total), total)
            course.close()
            digests = {path: future.result() for path, future in hashes.items()}
        except BaseException:
            course.abandon()
            for future in hashes.values():
                future.cancel()
            raise
    for folder, manifest in manifests.items():
        for name, problem in folders.against_manifest(
            folder, manifest, own[folder], digests, course.tallies, course.flawed
        ):
            course.say(str(folder / name), 0, problem, own[folder])
    return course.verdict()


class _Course:
    """What was seen so far. Pieces come in the order of the files and of their lines."""

    def __init__(
        self,
        files: list[tuple[Path, Path | None]],
        rules: list[Target],
        found: Callable[[Finding], None],
        out: Path | None,
        urls: UrlChecker | None,
    ) -> None:
        self.files, self.rules, self.found, self.out, self.urls = files, rules, found, out, urls
        self.tallies: dict[str, Tally] = {}
        self.codes: Counter[str] = Counter()
        self.levels: Counter[str] = Counter()
        self.fates: Counter[str] = Counter()
        self.unmended = 0
        self.flawed: set[str] = set()
        """Files with something wrong in their lines."""
        self.seen: dict[Path, Seen] = {}
        self.rejects = mended.Rejects(out) if out is not None else None
        self.file = -1
        self.lines = self.pairs = 0
        self.tally = Tally()
        self.mended: mended.MendedFile | None = None

    def take(self, piece: Piece) -> None:
        """Say what is wrong with the lines of a piece, and write those that are left."""
        if piece.job.file != self.file:
            self._close_file()
            self._open_file(piece.job)
        rows = {row.number: row for row in piece.rows}
        self._duplicates(piece, rows)
        if self.urls is not None:
            self._addresses(rows, self.urls)
        name, target = str(self.files[self.file][0]), self.rules[self.file]
        for number in sorted(rows):
            for problem in rows[number].problems:
                self.say(name, self.lines + number + 1, problem, target, rows[number].fate)
        if self.mended is not None:
            self._write(piece, rows, self.mended)
        self.lines += len(piece.ends)
        self.pairs += piece.pairs
        for key in Tally.__struct_fields__:
            setattr(self.tally, key, getattr(self.tally, key) + getattr(piece.tally, key))

    def say(self, file: str, line: int, problem: Problem, target: Target, fate: str = "") -> None:
        """Hand on one finding, and count it."""
        made = finding(file, line, problem, target, fate)
        if line:
            self.flawed.add(file)
        self.codes[made.code] += 1
        self.levels[made.level] += 1
        self.unmended += made.level == "error" and fate in ("", "rejected")
        if self.rejects is not None and fate in ("rejected", "dropped"):
            self.rejects.add(made)
        self.found(made)

    def close(self) -> None:
        """Finish the last file."""
        self._close_file()
        if self.rejects is not None:
            self.rejects.finish()

    def abandon(self) -> None:
        """Remove the file that was being written."""
        for unfinished in (self.mended, self.rejects):
            if unfinished is not None:
                unfinished.abandon()

    def verdict(self) -> Verdict:
        """Sum up."""
        return Verdict(
            {str(path): rule.name for (path, _), rule in zip(self.files, self.rules, strict=True)},
            self.tallies,
            self.levels["error"],
            self.levels["warning"],
            dict(sorted(self.codes.items())),
            dict(self.fates),
            self.urls.counts if self.urls is not None else {},
            self.unmended,
        )

    def _open_file(self, job: Job) -> None:
        self.file, self.lines, self.pairs, self.tally = job.file, 0, 0, Tally()
        if self.out is not None:
            self.mended = mended.MendedFile(Path(job.path), self.out)

    def _close_file(self) -> None:
        """Say what is wrong with a file as a whole: with the mended one, if there is one."""
        if self.file < 0:
            return
        path, target, tally = self.files[self.file][0], self.rules[self.file], self.tally
        if self.mended is not None:
            self.mended.finish()
            path, tally, self.mended = self.mended.path, self.mended.tally, None
        problems = check_file(tally, target)
        if 0 < self.pairs < self.tally.examples:
            text = f"{self.pairs:,} of {self.tally.examples:,} examples are preference pairs, the others are none"
            problems.append(Problem("file.mixed", text))
        for problem in problems:
            self.say(str(path), 0, problem, target)
        self.tallies[str(path)] = tally

    def _duplicates(self, piece: Piece, rows: dict[int, Row]) -> None:
        """Find the examples that were there before: in the same file, or the same folder if one was given."""
        path, folder = self.files[self.file]
        seen = self.seen.setdefault(folder or path, Seen())
        place = (self.file << _LINE_BITS) + self.lines + 1
        for number, key in enumerate(piece.keys):
            if key and (first := seen.first(key, place + number)) is not None:
                row = rows.setdefault(number, Row(number, []))
                if row.fate == "rejected":
                    continue
                file, line = self.files[first >> _LINE_BITS][0], first & ((1 << _LINE_BITS) - 1)
                there = f"line {line}" if file == path else f"{file.name} line {line}"
                row.problems.append(Problem("example.duplicate", f"the same example as {there}"))
                if self.out is not None:
                    row.fate = "dropped"

    def _addresses(self, rows: dict[int, Row], urls: UrlChecker) -> None:
        """Hold the images behind addresses against the rules."""
        wanted = [row for row in rows.values() if row.urls and row.fate not in ("dropped", "rejected")]
        results = urls.look([url for row in wanted for _, url in row.urls])
        for row in wanted:
            problems: list[Problem] = []
            for where, url in row.urls:
                picture, wrong = results[url]
                problems += [Problem(problem.code, problem.message, where) for problem in wrong]
                if picture is not None:
                    check_bytes(picture, where, self.rules[self.file], problems)
            row.problems += problems
            if self.out is not None and any(problem.code not in WARNINGS for problem in problems):
                row.fate = "rejected"

    def _write(self, piece: Piece, rows: dict[int, Row], file: mended.MendedFile) -> None:
        start = piece.start
        for number, end in enumerate(piece.ends):
            row = rows.get(number)
            fate = row.fate if row is not None else ""
            if row is not None and fate == "repaired":
                file.put(row.repaired, piece.images[number])
            elif not fate:
                file.keep(start, end, piece.images[number])
            self.fates[fate or "kept"] += 1
            start = end
