from hypothesis import given
from hypothesis import strategies as st

from labbox.cli.tables import align, render_table

# what `docker ps -a` printed for these containers
DOCKER = """\
CONTAINER ID   IMAGE     COMMAND                   CREATED         STATUS                    PORTS     NAMES
3a08d538c807   base:1    "echo 'a b' it's q\\"q…"   1 second ago    Created                             made
38b8dd2a6053   base:1    "sh -c 'exit 3'"          1 second ago    Exited (3) 1 second ago             gone
fdbbc19ff10f   base:1    "sh -c 'echo hello; …"    2 seconds ago   Up 1 second                         db"""
HEADER = ("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES")
ROWS = (
    ("3a08d538c807", "base:1", "\"echo 'a b' it's q\\\"q…\"", "1 second ago", "Created", "", "made"),
    ("38b8dd2a6053", "base:1", "\"sh -c 'exit 3'\"", "1 second ago", "Exited (3) 1 second ago", "", "gone"),
    ("fdbbc19ff10f", "base:1", '"sh -c \'echo hello; …"', "2 seconds ago", "Up 1 second", "", "db"),
)


def test_a_table_has_dockers_columns() -> None:
    assert render_table(HEADER, ROWS) == DOCKER


def test_a_line_without_cells_ends_a_block() -> None:
    assert align("a\tb\nplain\nlonger than ten\tc") == "a         b\nplain\nlonger than ten   c"


@given(st.lists(st.lists(st.text("ab…", max_size=5), min_size=1, max_size=4), min_size=1, max_size=5))
def test_no_cell_is_lost(rows: list[list[str]]) -> None:
    lines = align("\n".join("\t".join(row) for row in rows)).split("\n")
    assert [line.split() for line in lines] == [[cell for cell in row if cell] for row in rows]
