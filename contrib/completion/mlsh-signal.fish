# SPDX-License-Identifier: MIT
# Made by `make manual` from the tables of options: do not edit.

# Does the option of the command take a value, which is the next word?
function __mlsh_signal_valued -a command option
    switch "$command:$option"
        case 'token:--ttl'
            return 0
    end
    return 1
end

# Prints the words that are no options and no values: the command, then its arguments.
function __mlsh_signal_words
    set -l words (commandline -opc)
    set -l command
    set -l skip 0
    for word in $words[2..]
        if test $skip = 1
            set skip 0
        else if string match -q -- '-*' $word
            __mlsh_signal_valued "$command" $word; and set skip 1
        else
            test -n "$command"; or set command $word
            echo -- $word
        end
    end
end

# Is the command line at this command, '' for none yet?
function __mlsh_signal_at -a wanted
    set -l words (__mlsh_signal_words)
    test "$words[1]" = "$wanted"
end

# Is the word to complete its first argument?
function __mlsh_signal_first -a wanted
    set -l words (__mlsh_signal_words)
    test "$words" = "$wanted"
end

# Names that the mlsh which is typed knows.
function __mlsh_signal_names -a kind
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

complete -c mlsh-signal -f
complete -c mlsh-signal -n '__mlsh_signal_at ""' -s V -l version -d 'print the version'
complete -c mlsh-signal -n '__mlsh_signal_at ""' -s h -l help -d 'print a short help'
complete -c mlsh-signal -n '__mlsh_signal_at ""' -a clusters -d 'the clusters of this server'
complete -c mlsh-signal -n '__mlsh_signal_at ""' -a nodes -d 'the members of one'
complete -c mlsh-signal -n '__mlsh_signal_at ""' -a log -d 'who did what and when: its membership log in words'
complete -c mlsh-signal -n '__mlsh_signal_at ""' -a token -d 'another setup token, for a further cluster'
complete -c mlsh-signal -n '__mlsh_signal_at ""' -a backup -d 'the whole database as one file, while the server runs'
complete -c mlsh-signal -n '__mlsh_signal_at ""' -a restore -d 'put a backup in place, or verify it with --check'
complete -c mlsh-signal -n '__mlsh_signal_at ""' -a accept -d 'go on after a restore, without an admin of the cluster'
complete -c mlsh-signal -n '__mlsh_signal_at ""' -a take-over -d 'give files that root has put back to the server\'s user'
complete -c mlsh-signal -n '__mlsh_signal_at clusters' -l json -d 'print JSON'
complete -c mlsh-signal -n '__mlsh_signal_at clusters' -s h -l help -d 'print a short help'
complete -c mlsh-signal -n '__mlsh_signal_at nodes' -l json -d 'print JSON'
complete -c mlsh-signal -n '__mlsh_signal_at nodes' -l all -d 'former members, too'
complete -c mlsh-signal -n '__mlsh_signal_at nodes' -s h -l help -d 'print a short help'
complete -c mlsh-signal -n '__mlsh_signal_first nodes' -a '(__mlsh_signal_names clusters)'
complete -c mlsh-signal -n '__mlsh_signal_at log' -l json -d 'print JSON'
complete -c mlsh-signal -n '__mlsh_signal_at log' -s h -l help -d 'print a short help'
complete -c mlsh-signal -n '__mlsh_signal_first log' -a '(__mlsh_signal_names clusters)'
complete -c mlsh-signal -n '__mlsh_signal_at token' -l ttl -x -d 'how long it is good for'
complete -c mlsh-signal -n '__mlsh_signal_at token' -s h -l help -d 'print a short help'
complete -c mlsh-signal -n '__mlsh_signal_at backup' -l json -d 'print JSON'
complete -c mlsh-signal -n '__mlsh_signal_at backup' -l force -d 'replace FILE if it is there'
complete -c mlsh-signal -n '__mlsh_signal_at backup' -s h -l help -d 'print a short help'
complete -c mlsh-signal -n '__mlsh_signal_first backup' -F
complete -c mlsh-signal -n '__mlsh_signal_at restore' -l json -d 'print JSON'
complete -c mlsh-signal -n '__mlsh_signal_at restore' -l check -d 'verify only, without a server and its rights'
complete -c mlsh-signal -n '__mlsh_signal_at restore' -l accept -d 'go on without waiting for admins'
complete -c mlsh-signal -n '__mlsh_signal_at restore' -s h -l help -d 'print a short help'
complete -c mlsh-signal -n '__mlsh_signal_first restore' -F
complete -c mlsh-signal -n '__mlsh_signal_at accept' -s h -l help -d 'print a short help'
complete -c mlsh-signal -n '__mlsh_signal_first accept' -a '(__mlsh_signal_names clusters)'
complete -c mlsh-signal -n '__mlsh_signal_at take-over' -s h -l help -d 'print a short help'
