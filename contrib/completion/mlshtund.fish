# SPDX-License-Identifier: MIT
# Made by `make manual` from the tables of options: do not edit.

# Does the option of the command take a value, which is the next word?
function __mlshtund_valued -a command option
    switch "$command:$option"
        case ':--socket' ':--state-dir' ':--port' ':--port-mapping' ':--log'
            return 0
    end
    return 1
end

# Prints the words that are no options and no values: the command, then its arguments.
function __mlshtund_words
    set -l words (commandline -opc)
    set -l command
    set -l skip 0
    for word in $words[2..]
        if test $skip = 1
            set skip 0
        else if string match -q -- '-*' $word
            __mlshtund_valued "$command" $word; and set skip 1
        else
            test -n "$command"; or set command $word
            echo -- $word
        end
    end
end

# Is the command line at this command, '' for none yet?
function __mlshtund_at -a wanted
    set -l words (__mlshtund_words)
    test "$words[1]" = "$wanted"
end

# Is the word to complete its first argument?
function __mlshtund_first -a wanted
    set -l words (__mlshtund_words)
    test "$words" = "$wanted"
end

# Names that the mlsh which is typed knows.
function __mlshtund_names -a kind
    set -l words (commandline -opc)
    set -l before
    set -l word (commandline -ct | string replace -r '^--[^=]*=' '')
    type -q $words[1]; or return
    # Of a list that commas join, the last one.
    if test $kind = node-list
        set kind nodes
        set before (string match -r '.*,' -- $word)
        set word (string replace -r '.*,' '' -- $word)
    end
    for name in (command $words[1] __complete $kind "$word" 2>/dev/null </dev/null)
        echo -- "$before$name"
    end
end

complete -c mlshtund -f
complete -c mlshtund -n '__mlshtund_at ""' -l socket -r -F -d 'local socket for mlsh'
complete -c mlshtund -n '__mlshtund_at ""' -l state-dir -r -F -d 'where it keeps its clusters'
complete -c mlshtund -n '__mlshtund_at ""' -l port -x -d 'a fixed UDP port, 1 to 65535, for firewalls that name it'
complete -c mlshtund -n '__mlshtund_at ""' -l port-mapping -x -a 'on off' -d 'ask the gateway to map a port'
complete -c mlshtund -n '__mlshtund_at ""' -l log -x -a 'error warn info debug trace' -d 'how much it logs'
complete -c mlshtund -n '__mlshtund_at ""' -s V -l version -d 'print the version'
complete -c mlshtund -n '__mlshtund_at ""' -s h -l help -d 'print a short help'
