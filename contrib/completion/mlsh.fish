# SPDX-License-Identifier: MIT
# Made by `make manual` from the tables of options: do not edit.

# Does the option of the command take a value, which is the next word?
function __mlsh_valued -a command option
    switch "$command:$option"
        case 'connect:--wait' 'ping:--count' 'ping:-c' 'ping:--interval' 'ping:-i' 'setup:--signal-host' 'setup:--token' 'setup:--name' 'setup:--subnet' 'invite:--ttl' 'invite:--name' 'invite:--replace' 'invite:--role' 'invite:--count' 'adopt:--name' 'log:--verify' 'remove:--since' 'move:--signal-host' 'move:--token' 'move:--follow' 'recover:--remove' 'recover:--at' 'recover:--signal-host' 'recover:--token' 'renew:--ask' 'renew:--consent'
            return 0
    end
    return 1
end

# Prints the words that are no options and no values: the command, then its arguments.
function __mlsh_words
    set -l words (commandline -opc)
    set -l command
    set -l skip 0
    for word in $words[2..]
        if test $skip = 1
            set skip 0
        else if string match -q -- '-*' $word
            __mlsh_valued "$command" $word; and set skip 1
        else
            test -n "$command"; or set command $word
            echo -- $word
        end
    end
end

# Is the command line at this command, '' for none yet?
function __mlsh_at -a wanted
    set -l words (__mlsh_words)
    test "$words[1]" = "$wanted"
end

# Is the word to complete its first argument?
function __mlsh_first -a wanted
    set -l words (__mlsh_words)
    test "$words" = "$wanted"
end

# Names that the mlsh which is typed knows.
function __mlsh_names -a kind
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

complete -c mlsh -f
complete -c mlsh -n '__mlsh_at ""' -s V -l version -d 'print the version'
complete -c mlsh -n '__mlsh_at ""' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_at ""' -a connect -d 'bring a cluster\'s network up on this machine'
complete -c mlsh -n '__mlsh_first help' -a connect -d 'bring a cluster\'s network up on this machine'
complete -c mlsh -n '__mlsh_at ""' -a disconnect -d 'take a cluster\'s network down on this machine'
complete -c mlsh -n '__mlsh_first help' -a disconnect -d 'take a cluster\'s network down on this machine'
complete -c mlsh -n '__mlsh_at ""' -a status -d 'show connected clusters, peers and paths'
complete -c mlsh -n '__mlsh_first help' -a status -d 'show connected clusters, peers and paths'
complete -c mlsh -n '__mlsh_at ""' -a nodes -d 'list the members of a cluster'
complete -c mlsh -n '__mlsh_first help' -a nodes -d 'list the members of a cluster'
complete -c mlsh -n '__mlsh_at ""' -a ping -d 'does a node answer, by which path, and how soon'
complete -c mlsh -n '__mlsh_first help' -a ping -d 'does a node answer, by which path, and how soon'
complete -c mlsh -n '__mlsh_at ""' -a setup -d 'create a cluster and make this machine its first node'
complete -c mlsh -n '__mlsh_first help' -a setup -d 'create a cluster and make this machine its first node'
complete -c mlsh -n '__mlsh_at ""' -a invite -d 'make an invite for another machine'
complete -c mlsh -n '__mlsh_first help' -a invite -d 'make an invite for another machine'
complete -c mlsh -n '__mlsh_at ""' -a adopt -d 'join a cluster with an invite'
complete -c mlsh -n '__mlsh_first help' -a adopt -d 'join a cluster with an invite'
complete -c mlsh -n '__mlsh_at ""' -a invites -d 'list the open invites that were made here'
complete -c mlsh -n '__mlsh_first help' -a invites -d 'list the open invites that were made here'
complete -c mlsh -n '__mlsh_at ""' -a cancel -d 'end an open invite before its time'
complete -c mlsh -n '__mlsh_first help' -a cancel -d 'end an open invite before its time'
complete -c mlsh -n '__mlsh_at ""' -a log -d 'show who did what and when; proof of a lying server'
complete -c mlsh -n '__mlsh_first help' -a log -d 'show who did what and when; proof of a lying server'
complete -c mlsh -n '__mlsh_at ""' -a remove -d 'remove nodes from their cluster'
complete -c mlsh -n '__mlsh_first help' -a remove -d 'remove nodes from their cluster'
complete -c mlsh -n '__mlsh_at ""' -a leave -d 'take this machine out of a cluster'
complete -c mlsh -n '__mlsh_first help' -a leave -d 'take this machine out of a cluster'
complete -c mlsh -n '__mlsh_at ""' -a forget -d 'remove a cluster from this machine only'
complete -c mlsh -n '__mlsh_first help' -a forget -d 'remove a cluster from this machine only'
complete -c mlsh -n '__mlsh_at ""' -a promote -d 'make a node an admin'
complete -c mlsh -n '__mlsh_first help' -a promote -d 'make a node an admin'
complete -c mlsh -n '__mlsh_at ""' -a demote -d 'make an admin a plain node'
complete -c mlsh -n '__mlsh_first help' -a demote -d 'make an admin a plain node'
complete -c mlsh -n '__mlsh_at ""' -a rename -d 'give a node another name'
complete -c mlsh -n '__mlsh_first help' -a rename -d 'give a node another name'
complete -c mlsh -n '__mlsh_at ""' -a rotate -d 'give this node a new key'
complete -c mlsh -n '__mlsh_first help' -a rotate -d 'give this node a new key'
complete -c mlsh -n '__mlsh_at ""' -a why -d 'why a node is reached the way it is, and what could be changed'
complete -c mlsh -n '__mlsh_first help' -a why -d 'why a node is reached the way it is, and what could be changed'
complete -c mlsh -n '__mlsh_at ""' -a netcheck -d 'what this machine\'s network lets through'
complete -c mlsh -n '__mlsh_first help' -a netcheck -d 'what this machine\'s network lets through'
complete -c mlsh -n '__mlsh_at ""' -a move -d 'take a cluster to another signal server'
complete -c mlsh -n '__mlsh_first help' -a move -d 'take a cluster to another signal server'
complete -c mlsh -n '__mlsh_at ""' -a recover -d 'make this machine an admin with the recovery code'
complete -c mlsh -n '__mlsh_first help' -a recover -d 'make this machine an admin with the recovery code'
complete -c mlsh -n '__mlsh_at ""' -a renew -d 'put a new recovery code in the place of the old one'
complete -c mlsh -n '__mlsh_first help' -a renew -d 'put a new recovery code in the place of the old one'
complete -c mlsh -n '__mlsh_at ""' -a container -d 'run this node as the first process of a container'
complete -c mlsh -n '__mlsh_first help' -a container -d 'run this node as the first process of a container'
complete -c mlsh -n '__mlsh_at ""' -a help -d 'print the help of a command'
complete -c mlsh -n '__mlsh_at connect' -s f -l foreground -d 'run the tunnel in this terminal, without the daemon, until Ctrl-C'
complete -c mlsh -n '__mlsh_at connect' -l wait -x -d 'how long to wait for the session'
complete -c mlsh -n '__mlsh_at connect' -l no-wait -d 'do not wait'
complete -c mlsh -n '__mlsh_at connect' -l json -d 'print the result as JSON'
complete -c mlsh -n '__mlsh_at connect' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first connect' -a '(__mlsh_names clusters)'
complete -c mlsh -n '__mlsh_at disconnect' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first disconnect' -a '(__mlsh_names clusters)'
complete -c mlsh -n '__mlsh_at status' -l json -d 'print JSON'
complete -c mlsh -n '__mlsh_at status' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first status' -a '(__mlsh_names clusters)'
complete -c mlsh -n '__mlsh_at nodes' -l all -d 'also who was a member'
complete -c mlsh -n '__mlsh_at nodes' -l json -d 'print JSON'
complete -c mlsh -n '__mlsh_at nodes' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first nodes' -a '(__mlsh_names clusters)'
complete -c mlsh -n '__mlsh_at ping' -s c -l count -x -d 'how many probes to send'
complete -c mlsh -n '__mlsh_at ping' -s i -l interval -x -d 'the time between them, at least 0.2'
complete -c mlsh -n '__mlsh_at ping' -l until-direct -d 'end with the first answer by a direct path'
complete -c mlsh -n '__mlsh_at ping' -l json -d 'print a line of JSON for each event'
complete -c mlsh -n '__mlsh_at ping' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first ping' -a '(__mlsh_names nodes)'
complete -c mlsh -n '__mlsh_at setup' -l signal-host -x -d 'the signal server'
complete -c mlsh -n '__mlsh_at setup' -l token -x -d 'what mlsh-signal printed on its first start'
complete -c mlsh -n '__mlsh_at setup' -l name -x -d 'this node\'s name'
complete -c mlsh -n '__mlsh_at setup' -l subnet -x -d 'overlay addresses from this range instead of the server\'s'
complete -c mlsh -n '__mlsh_at setup' -l force -d 'accept a cluster name that is a public top-level domain, or whose zone contains the server or a search domain of this machine'
complete -c mlsh -n '__mlsh_at setup' -l json -d 'print a line of JSON for the recovery code, which is a secret, and one at the end'
complete -c mlsh -n '__mlsh_at setup' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_at invite' -l ttl -x -d 'how long it is good for'
complete -c mlsh -n '__mlsh_at invite' -l name -x -d 'the only name that the new node may take'
complete -c mlsh -n '__mlsh_at invite' -l replace -x -a '(__mlsh_names nodes)' -d 'the member, current or former, whose place it takes'
complete -c mlsh -n '__mlsh_at invite' -l role -x -a 'node admin' -d 'what it is meant to become'
complete -c mlsh -n '__mlsh_at invite' -l yes -d 'with --role admin'
complete -c mlsh -n '__mlsh_at invite' -l count -x -d 'as many invites, for as many machines'
complete -c mlsh -n '__mlsh_at invite' -l no-qr -d 'leave the QR code out'
complete -c mlsh -n '__mlsh_at invite' -l json -d 'print the result as JSON'
complete -c mlsh -n '__mlsh_at invite' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first invite' -a '(__mlsh_names clusters)'
complete -c mlsh -n '__mlsh_at adopt' -l name -x -d 'this node\'s name'
complete -c mlsh -n '__mlsh_at adopt' -l json -d 'print the result as JSON'
complete -c mlsh -n '__mlsh_at adopt' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_at invites' -l json -d 'print JSON'
complete -c mlsh -n '__mlsh_at invites' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first invites' -a '(__mlsh_names clusters)'
complete -c mlsh -n '__mlsh_at cancel' -l json -d 'print the result as JSON'
complete -c mlsh -n '__mlsh_at cancel' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first cancel' -a '(__mlsh_names invites)'
complete -c mlsh -n '__mlsh_at log' -l proof -d 'print the proof against the server that this node has kept'
complete -c mlsh -n '__mlsh_at log' -l code-proof -d 'the same of a recovery code that was misused'
complete -c mlsh -n '__mlsh_at log' -l verify -r -F -d 'check a proof'
complete -c mlsh -n '__mlsh_at log' -l json -d 'print JSON'
complete -c mlsh -n '__mlsh_at log' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first log' -a '(__mlsh_names clusters)'
complete -c mlsh -n '__mlsh_at remove' -l and-sponsored -d 'also the nodes that they let in, and the nodes that these let in'
complete -c mlsh -n '__mlsh_at remove' -l since -x -d 'of these only the nodes that joined since'
complete -c mlsh -n '__mlsh_at remove' -l yes -d 'do not ask'
complete -c mlsh -n '__mlsh_at remove' -l json -d 'print the result as JSON'
complete -c mlsh -n '__mlsh_at remove' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_at remove' -a '(__mlsh_names nodes)'
complete -c mlsh -n '__mlsh_at leave' -l yes -d 'do not ask'
complete -c mlsh -n '__mlsh_at leave' -l json -d 'print the result as JSON'
complete -c mlsh -n '__mlsh_at leave' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first leave' -a '(__mlsh_names clusters)'
complete -c mlsh -n '__mlsh_at forget' -l yes -d 'do not ask'
complete -c mlsh -n '__mlsh_at forget' -l json -d 'print the result as JSON'
complete -c mlsh -n '__mlsh_at forget' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first forget' -a '(__mlsh_names clusters)'
complete -c mlsh -n '__mlsh_at promote' -l json -d 'print the result as JSON'
complete -c mlsh -n '__mlsh_at promote' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first promote' -a '(__mlsh_names nodes)'
complete -c mlsh -n '__mlsh_at demote' -l json -d 'print the result as JSON'
complete -c mlsh -n '__mlsh_at demote' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first demote' -a '(__mlsh_names nodes)'
complete -c mlsh -n '__mlsh_at rename' -l json -d 'print the result as JSON'
complete -c mlsh -n '__mlsh_at rename' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first rename' -a '(__mlsh_names nodes)'
complete -c mlsh -n '__mlsh_at rotate' -l json -d 'print the result as JSON'
complete -c mlsh -n '__mlsh_at rotate' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first rotate' -a '(__mlsh_names clusters)'
complete -c mlsh -n '__mlsh_at why' -l json -d 'print JSON'
complete -c mlsh -n '__mlsh_at why' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first why' -a '(__mlsh_names nodes)'
complete -c mlsh -n '__mlsh_at netcheck' -l json -d 'print JSON'
complete -c mlsh -n '__mlsh_at netcheck' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first netcheck' -a '(__mlsh_names clusters)'
complete -c mlsh -n '__mlsh_at move' -l signal-host -x -d 'the new signal server'
complete -c mlsh -n '__mlsh_at move' -l token -x -d 'what mlsh-signal token prints on the new server'
complete -c mlsh -n '__mlsh_at move' -l follow -x -d 'on a node that was not reached'
complete -c mlsh -n '__mlsh_at move' -l yes -d 'do not ask'
complete -c mlsh -n '__mlsh_at move' -l json -d 'print the result as JSON'
complete -c mlsh -n '__mlsh_at move' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first move' -a '(__mlsh_names clusters)'
complete -c mlsh -n '__mlsh_at recover' -l remove -x -a '(__mlsh_names node-list)' -d 'nodes to remove as well, joined by commas'
complete -c mlsh -n '__mlsh_at recover' -l keep-admins -d 'the admins until now remain admins'
complete -c mlsh -n '__mlsh_at recover' -l at -x -d 'go back to this record of the log and drop what came after it'
complete -c mlsh -n '__mlsh_at recover' -l signal-host -x -d 'take the cluster to this server as well, if the present one is gone'
complete -c mlsh -n '__mlsh_at recover' -l token -x -d 'a setup token of that server'
complete -c mlsh -n '__mlsh_at recover' -l yes -d 'do not ask'
complete -c mlsh -n '__mlsh_at recover' -l json -d 'print a line of JSON for the code, and one at the end'
complete -c mlsh -n '__mlsh_at recover' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first recover' -a '(__mlsh_names clusters)'
complete -c mlsh -n '__mlsh_at renew' -l ask -x -a '(__mlsh_names nodes)' -d 'without the code'
complete -c mlsh -n '__mlsh_at renew' -l consent -x -d 'as that admin, agrees to the request'
complete -c mlsh -n '__mlsh_at renew' -l yes -d 'do not ask'
complete -c mlsh -n '__mlsh_at renew' -l json -d 'print a line of JSON for a code, and one at the end'
complete -c mlsh -n '__mlsh_at renew' -s h -l help -d 'print a short help'
complete -c mlsh -n '__mlsh_first renew' -a '(__mlsh_names clusters)'
complete -c mlsh -n '__mlsh_at container' -s h -l help -d 'print a short help'
