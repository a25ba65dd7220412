"""The closing line of a test program in Python, the one of `cargo test`: .ci/test counts what it says."""

import sys
import unittest


def tell(passed, failed):
    """Says how many tests passed and failed; gives the status to exit with."""
    print(f"test result: {'FAILED' if failed else 'ok'}. {passed} passed; {failed} failed;", flush=True)
    return 1 if failed else 0


def unittests():
    """Runs the tests of the file that is started, and exits."""
    result = unittest.main(module="__main__", exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    sys.exit(tell(result.testsRun - failed - len(result.skipped), failed))
