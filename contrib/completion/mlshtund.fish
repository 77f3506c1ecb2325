# SPDX-License-Identifier: MIT
# Made by `make manual` from the tables of options: do not edit.

# Is the command line at this command, '' for none yet?
function __mlshtund_at -a wanted
    set -l words (commandline -opc)
    test "$(__mlshtund_command $words)" = "$wanted"
end

# Prints the first word that is no option.
function __mlshtund_command
    for word in $argv[2..]
        switch $word
            case '-*'
            case '*'
                echo -- $word
                return
        end
    end
end

# Is the word to complete the first one behind the command?
function __mlshtund_first -a wanted
    __mlshtund_at $wanted; or return
    set -l words (commandline -opc)
    test $words[-1] = "$wanted"
end

# Names that the mlsh which is typed knows.
function __mlshtund_names -a kind
    set -l words (commandline -opc)
    command $words[1] __complete $kind (commandline -ct) 2>/dev/null </dev/null
end

complete -c mlshtund -f
complete -c mlshtund -n '__mlshtund_at ""' -l socket -r -F -d 'local socket for mlsh'
complete -c mlshtund -n '__mlshtund_at ""' -l state-dir -r -F -d 'where it keeps its clusters'
complete -c mlshtund -n '__mlshtund_at ""' -l port-mapping -x -a 'on off' -d 'ask the gateway to map a port'
complete -c mlshtund -n '__mlshtund_at ""' -l log -x -a 'error warn info debug trace' -d 'how much it logs'
complete -c mlshtund -n '__mlshtund_at ""' -s V -l version -d 'print the version'
complete -c mlshtund -n '__mlshtund_at ""' -s h -l help -d 'print a short help'
