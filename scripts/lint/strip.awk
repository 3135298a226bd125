# strip.awk - C source as "file:line:code", comments gone and strings emptied, so that a word in
# prose is no call.  A string that a backslash carries over a line end is not understood.
FNR == 1 { comment = 0 }
{
    line = $0
    code = ""
    while (line != "") {
        if (comment) {
            end = index(line, "*/")
            if (!end)
                break
            line = substr(line, end + 2)
            comment = 0
        } else if (match(line, /\/\*|\/\/|"([^"\\]|\\.)*"|'([^'\\]|\\.)*'/)) {
            token = substr(line, RSTART, 2)
            code = code substr(line, 1, RSTART - 1)
            line = substr(line, RSTART + (token == "/*" ? 2 : RLENGTH))
            if (token == "//")
                break
            if (token == "/*")
                comment = 1
            else
                code = code "\"\""
        } else {
            code = code line
            break
        }
    }
    print FILENAME ":" FNR ":" code
}
