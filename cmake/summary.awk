# Counts the TAP lines in ctest's logs: a line for each test that has any,
# what was skipped and why, what is to be written, and the sum; a table of what
# the suites tried (suites/suite.py says it in a line each); and of each test
# that failed the cases that did, what a suite said of them, and how its output
# ended.
FNR == 1 { build = FILENAME; sub(/\/Testing\/.*/, "", build) }
/^<end of output>/ { for (i = 12; i; i--) ended[i] = said[(FNR - i) % 12] }
{ said[FNR % 12] = substr($0, 1, 200) }
/^Test (Failed|timed out)/ || /^Test time = .*Timeout/ {
    failures = failures "failed: " test "\n" cases
    for (i = 12; i; i--) failures = failures "    " ended[i] "\n"
}
/^[0-9]+\/[0-9]+ Testing: / {
    test = build " " $3
    cases = ""
    if (!(test in seen)) { seen[test]; tests[++count] = test }
}
/^# suite: / {
    split($0, part, /: |, /)
    rows[++suites] = sprintf("%-52s %9s %8s %6s %6s", part[2] \
        (build == "build" ? "" : " (" build ")"), part[3] + 0, part[4] + 0, \
        part[5] + 0, part[6] + 0)
}
/^ok [0-9]+/ && toupper($0) ~ /# *SKIP/ {
    skipped[test]++
    name = $0; sub(/^ok [0-9]+( - )?/, "", name)
    reason = name
    sub(/ *# *[Ss][Kk][Ii][Pp].*/, "", name)
    sub(/.*# *[Ss][Kk][Ii][Pp][^ ]* */, "", reason)
    if (!((reason, name) in named)) {
        named[reason, name]
        if (!(reason in names)) reasons[++kinds] = reason
        names[reason] = names[reason] "\n    " name
    }
    next
}
/^not ok [0-9]+/ && /# TODO to be written/ {
    name = $0; sub(/^not ok [0-9]+ - /, "", name); sub(/ # TODO.*/, "", name)
    if (!(name in todo)) { todo[name]; unwritten = unwritten "\n    " name }
    next
}
/^ok [0-9]+/ { passed[test]++ }
/^not ok [0-9]+/ { failed[test]++; cases = cases "  " $0 "\n" }
/^# [^:]*: (crashes|hangs|wrong): / { cases = cases "  " $0 "\n" }
END {
    print ""
    for (i = 1; i <= kinds; i++)
        print "skipped, " reasons[i] ":" names[reasons[i]]
    if (unwritten) print "to be written:" unwritten
    for (i = 1; i <= count; i++) {
        t = tests[i]
        if (!(t in passed || t in failed || t in skipped)) continue
        p += passed[t]; f += failed[t]; s += skipped[t]
        printf "%s: %d passed, %d failed, %d skipped\n", t, passed[t], \
            failed[t], skipped[t]
    }
    if (suites) printf "%-52s %9s %8s %6s %6s\n", "suite", "tried", \
        "crashes", "hangs", "wrong"
    for (i = 1; i <= suites; i++) print rows[i]
    printf "%s", failures
    printf "cases: %d passed, %d failed, %d skipped\n", p, f, s
}
