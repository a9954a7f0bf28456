from labbox.build.python.compiling import deal_portions, is_supported
from labbox.lock.lab import LockedInterpreter


def test_files_are_dealt_in_order_and_whole() -> None:
    files = [(b"/a%05d.py" % number, 5000) for number in range(2500)]
    portions = list(deal_portions(files, "/s", "/c"))
    assert len(portions) > 2
    assert [path for portion in portions for path in portion.paths] == [path for path, _ in files]


def test_a_file_larger_than_a_portion_stands_alone() -> None:
    portions = list(deal_portions([(b"/a.py", 1), (b"/b.py", 1 << 30), (b"/c.py", 1)], "/s", "/c"))
    assert [portion.paths for portion in portions] == [(b"/a.py",), (b"/b.py",), (b"/c.py",)]


def test_pythons_that_write_the_same_bytes_are_supported() -> None:
    supported = {
        version: is_supported(LockedInterpreter(version=version, path="", abi=""))
        for version in ("2.7.18", "3.6.9", "3.7.0", "3.13.5")
    }
    assert supported == {"2.7.18": True, "3.6.9": False, "3.7.0": True, "3.13.5": True}
