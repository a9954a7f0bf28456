"""Marks that choose the identity modes of a test that uses the fixture `lab`."""

import pytest

only_root = pytest.mark.parametrize("mode", ["root"], indirect=True)
only_subuid = pytest.mark.parametrize("mode", ["subuid"], indirect=True)
only_single = pytest.mark.parametrize("mode", ["single"], indirect=True)
rootless = pytest.mark.parametrize("mode", ["subuid", "single"], indirect=True)
many_ids = pytest.mark.parametrize("mode", ["root", "subuid"], indirect=True)
