//! Messages of the vet analyzers, to tell vet from the compiler where no header does (before Go 1.22).
//!
//! Source: the `Reportf` calls of golang.org/x/tools/go/analysis/passes as vendored in cmd of each release. The
//! words are chosen so that no message of types2 or the compiler has them.

use super::bytes::has;

const WORDS: &[&str] = &[
    // printf
    " format %",
    " arg list ends with redundant newline",
    " call has possible formatting directive ",
    " call has possible Printf formatting directive ",
    " call has arguments but no formatting directives",
    "call needs ",
    " call has error-wrapping directive",
    "non-constant format string in call to ",
    " has arg ",
    " causes recursive ",
    " call has arguments but wrong",
    "wrong type for ",
    // assign, atomic, bools, copylocks, defers
    "self-assignment of ",
    "direct assignment to atomic value",
    "redundant or: ",
    "redundant and: ",
    "suspect or: ",
    "suspect and: ",
    "assignment copies lock value",
    "passes lock by value",
    "return copies lock value",
    "copies lock value",
    "range var ",
    "literal copies lock value",
    "call to time.Since is not deferred",
    // composites, errorsas, httpresponse, ifaceassert, loopclosure, lostcancel
    "composite literal uses unkeyed fields",
    "second argument to errors.As ",
    "second argument must be ",
    "before checking for errors",
    "impossible interface-to-interface type assertion",
    "captured by func literal",
    "the cancel function is not used on all paths",
    "the cancel function returned by ",
    "should be called, not discarded",
    "this return statement may be reached without using the ",
    // nilfunc, shift, sigchanyzer, slog, stdmethods, stringintconv, structtag
    "comparison of function ",
    "too small for shift of ",
    " equals its width",
    "misuse of unbuffered os.Signal channel",
    "arg list does not end",
    "missing a final value",
    "should be a string or a slog.Attr",
    "should have signature ",
    "yields a string of one rune",
    "struct field tag ",
    "not compatible with reflect.StructTag.Get",
    "repeats json tag",
    "repeats xml tag",
    "has json tag but is not exported",
    "has xml tag but is not exported",
    // testinggoroutine, tests, timeformat, unmarshal, unreachable, unsafeptr, unusedresult
    "from a non-test goroutine",
    "has malformed name: first letter after",
    "has malformed example suffix",
    "refers to unknown identifier: ",
    "refers to unknown field or method: ",
    "should return nothing",
    "should be niladic",
    "should have 1 parameter of type ",
    "fuzzing arguments can only have the following types",
    "should be 2006-01-02",
    "call of Unmarshal passes non-pointer",
    "passes non-pointer as ",
    "unreachable code",
    "possible misuse of unsafe.Pointer",
    "possible misuse of reflect.",
    "call not used",
    // asmdecl, buildtag, cgocall, directive, framepointer, appends, stdversion, waitgroup, hostport, copylock
    "[amd64] ",
    "[arm64] ",
    "[386] ",
    "malformed +build",
    "misplaced +build",
    "+build line",
    "//go:build ",
    "//go:debug ",
    "//go:embed",
    "possibly passing Go type with embedded pointer to C",
    "frame pointer is clobbered before saving",
    "append with no values",
    " requires go1.",
    "WaitGroup.Add called from inside new goroutine",
    "does not work with IPv6",
    "can only be called from",
    "variable declaration copies lock value",
    "defers: ",
];

/// Whether the message is one of vet's.
pub(super) fn is_vet(body: &[u8]) -> bool {
    // the compiler has the same words for these
    let compiler =
        has(body, "imported and not used") || has(body, "declared and not used") || body.starts_with(b"undefined: ");
    !compiler && WORDS.iter().any(|words| has(body, words))
}
