"""Public fakes and fixtures for those who test against labbox; never imported by labbox itself."""
