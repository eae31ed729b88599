# judge.awk KNOWN RESULTS: numbers the results, marks the known failures, and sums up by suite.
# KNOWN has lines `NAME<tab>REASON`; RESULTS has `ok - NAME`, `not ok - NAME`, `ok - NAME # SKIP WHY` and diagnostics.
BEGIN { FS = "\t" }
FILENAME == ARGV[1] && /^(#|$)/ { next }
FILENAME == ARGV[1] { reasons[$1] = $2; next }
/^(not )?ok - / {
  number++
  name = $0
  sub(/^(not )?ok - /, "", name)
  skipped = sub(/ # SKIP.*/, "", name)
  suite = name
  sub(/:.*/, "", suite)
  suites[suite]
  line = $0
  sub(/ok - /, "ok " number " - ", line)
  if (/^ok/) {
    if (skipped) skip[suite]++
    else pass[suite]++
    if (!skipped && name in reasons) passed_now[name]
  } else if (name in reasons) {
    line = line " # known: " reasons[name]
    known[suite]++
  } else {
    fail[suite]++
  }
  print line
  fflush()
  next
}
{
  print
  fflush()
}
END {
  print "1.." number
  for (suite in suites) {
    printf "# %s: %d passed, %d failed, %d failed as known, %d skipped\n", suite, pass[suite], fail[suite], known[suite], skip[suite]
    bad += fail[suite]
  }
  for (name in passed_now) {
    print "# listed as a failure, but passes: " name
    bad++
  }
  exit (bad > 0 || number == 0)
}
