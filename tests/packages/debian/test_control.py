from labbox.packages.debian.control import format_paragraph, parse_paragraphs


def test_paragraphs_are_separated_by_blank_lines() -> None:
    assert [fields["Package"] for fields in parse_paragraphs("Package: a\n\n\nPackage: b\n")] == ["a", "b"]


def test_continuation_lines_belong_to_their_field() -> None:
    (fields,) = parse_paragraphs("Conffiles:\n /etc/a 123\n /etc/b 456\nDescription: one\n two\n")
    assert fields == {"Conffiles": "\n/etc/a 123\n/etc/b 456", "Description": "one\ntwo"}


def test_comments_and_carriage_returns_are_ignored() -> None:
    (fields,) = parse_paragraphs("# note\r\nTypes: deb\r\n#URIs: no\r\nURIs: http://a\r\n")
    assert fields == {"Types": "deb", "URIs": "http://a"}


def test_a_formatted_paragraph_reads_as_it_was() -> None:
    fields = {"Package": "a", "Conffiles": "\n/etc/a 123", "Description": "one\ntwo"}
    assert list(parse_paragraphs(format_paragraph(fields))) == [fields]
