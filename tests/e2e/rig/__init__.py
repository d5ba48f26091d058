"""Real servers, real clients and the program under test, each in a folder of the test's own."""
