"""What became of a file: said by line and column, Chinese first."""

from __future__ import annotations

from dataclasses import dataclass, field

# Text that is nobody's business on a screen or in a log, even when it is wrong.
PRIVATE = frozenset({"medical", "notes", "access", "pin", "push_secret", "endpoint"})
# A file that is wrong everywhere is told so often and then counted, so that memory stays bounded.
LISTED = 10_000


class Bad(ValueError):
    """A cell is wrong; says why in both languages. Never contains the cell itself."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} · {en}")
        self.zh = zh
        self.en = en


class FileRefused(Bad):
    """The file as a whole cannot be imported."""

    def __init__(self, zh: str, en: str, *, line: int | None = None) -> None:
        super().__init__(zh, en)
        self.line = line


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong cell; without a line the whole file."""

    line: int | None
    column: str | None
    value: str | None
    zh: str
    en: str

    def __str__(self) -> str:
        parts = []
        if self.line is not None:
            parts.append(f"第 {self.line} 行 line {self.line}")
        if self.column is not None:
            parts.append(self.column)
        if self.value is not None:
            parts.append(f"“{self.value}”")
        where = "，".join(parts)
        return f"{where}：{self.zh} · {self.en}" if where else f"{self.zh} · {self.en}"


@dataclass(slots=True)
class Report:
    """`errors` lists at most `LISTED` problems; `problems` counts all of them."""

    kind: str
    rows: int = 0
    imported: int = 0
    added: int = 0
    bad_rows: int = 0
    refused: bool = False  # the file as a whole: wrong columns, not readable, too large
    problems: int = 0
    errors: list[Problem] = field(default_factory=list)

    @property
    def updated(self) -> int:
        return self.imported - self.added

    @property
    def ok(self) -> bool:
        """Everything in the file is in the database."""
        return not self.refused and self.problems == 0 and self.imported == self.rows

    def add(self, problem: Problem) -> None:
        self.problems += 1
        if len(self.errors) < LISTED:
            self.errors.append(problem)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.errors]
        if self.problems > len(self.errors):
            more = self.problems - len(self.errors)
            lines.append(f"另有 {more} 处错误未列出 · {more} more errors are not listed")
        lines.append(
            f"{self.kind}：共 {self.rows} 行，导入 {self.imported} 行（新增 {self.added}，更新 {self.updated}），"
            f"有错 {self.bad_rows} 行 · {self.rows} rows, {self.imported} imported "
            f"({self.added} new, {self.updated} updated), {self.bad_rows} bad"
        )
        return "\n".join(lines)


def shown(column: str, value: object) -> str | None:
    """A value as it may be repeated to the person who imports."""
    if column in PRIVATE:
        return "（不显示 not shown）"
    text = "".join(ch if ch.isprintable() else "�" for ch in str(value))
    return text if len(text) <= 60 else text[:60] + "…"
