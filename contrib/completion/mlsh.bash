# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Made by `make manual` from the tables of options: do not edit.

# Sets what can be completed for a command, '' for the program itself.
_mlsh_words() { # command
	options='' argument='' further='' commands=''
	case $1 in
	'')
		options='--version --help'
		commands='connect disconnect status nodes ping setup invite adopt invites cancel log remove leave forget promote demote rename rotate why netcheck move recover renew container help'
		;;
	connect)
		options='--foreground --wait --no-wait --json --help' argument=clusters ;;
	disconnect)
		options='--help' argument=clusters ;;
	status)
		options='--json --help' argument=clusters ;;
	nodes)
		options='--all --json --help' argument=clusters ;;
	ping)
		options='--count --interval --until-direct --json --help' argument=nodes ;;
	setup)
		options='--signal-host --token --name --subnet --force --json --help' ;;
	invite)
		options='--ttl --name --replace --role --yes --count --no-qr --json --help' argument=clusters ;;
	adopt)
		options='--name --json --help' ;;
	invites)
		options='--json --help' argument=clusters ;;
	cancel)
		options='--json --help' argument=invites ;;
	log)
		options='--proof --code-proof --verify --json --help' argument=clusters ;;
	remove)
		options='--and-sponsored --since --yes --json --help' further=nodes ;;
	leave)
		options='--yes --json --help' argument=clusters ;;
	forget)
		options='--yes --json --help' argument=clusters ;;
	promote)
		options='--json --help' argument=nodes ;;
	demote)
		options='--json --help' argument=nodes ;;
	rename)
		options='--json --help' argument=nodes ;;
	rotate)
		options='--json --help' argument=clusters ;;
	why)
		options='--json --help' argument=nodes ;;
	netcheck)
		options='--json --help' argument=clusters ;;
	move)
		options='--signal-host --token --follow --yes --json --help' argument=clusters ;;
	recover)
		options='--remove --keep-admins --at --signal-host --token --yes --json --help' argument=clusters ;;
	renew)
		options='--ask --consent --yes --json --help' argument=clusters ;;
	container)
		options='--help' ;;
	help) argument='=connect disconnect status nodes ping setup invite adopt invites cancel log remove leave forget promote demote rename rotate why netcheck move recover renew container' ;;
	*) return 1 ;;
	esac
}

# Returns 0 if the option takes a value, and sets the kind of that.
_mlsh_value() { # command, option
	kind=''
	case $1:$2 in
	connect:--wait) kind='' ;;
	ping:--count | ping:-c) kind='' ;;
	ping:--interval | ping:-i) kind='' ;;
	setup:--signal-host) kind='' ;;
	setup:--token) kind='' ;;
	setup:--name) kind='' ;;
	setup:--subnet) kind='' ;;
	invite:--ttl) kind='' ;;
	invite:--name) kind='' ;;
	invite:--replace) kind='nodes' ;;
	invite:--role) kind='=node admin' ;;
	invite:--count) kind='' ;;
	adopt:--name) kind='' ;;
	log:--verify) kind='files' ;;
	remove:--since) kind='' ;;
	move:--signal-host) kind='' ;;
	move:--token) kind='' ;;
	move:--follow) kind='' ;;
	recover:--remove) kind='node-list' ;;
	recover:--at) kind='' ;;
	recover:--signal-host) kind='' ;;
	recover:--token) kind='' ;;
	renew:--ask) kind='nodes' ;;
	renew:--consent) kind='' ;;
	*) return 1 ;;
	esac
}

# Adds the words that fit. They are never evaluated.
_mlsh_fill() { # program, kind ("=one two": these words), beginning of the word
	local name names=() before=''
	case $2 in
	'') return ;;
	files)
		# readline knows of quotes and of "~"; it has no part in this when the function is tried out.
		compopt -o default 2>/dev/null && return
		while IFS= read -r name; do names+=("$name"); done < <(compgen -f -- "$3")
		;;
	=*) read -ra names <<<"${2#=}" ;;
	node-list) # the last one behind a comma
		if [[ $3 == *,* ]]; then before=${3%,*},; fi
		while IFS= read -r name; do names+=("$before$name"); done < <(
			command "${1/#\~/$HOME}" __complete nodes "${3##*,}" 2>/dev/null </dev/null
		)
		;;
	*)
		while IFS= read -r name; do names+=("$name"); done < <(
			command "${1/#\~/$HOME}" __complete "$2" "$3" 2>/dev/null </dev/null
		)
		;;
	esac
	for name in "${names[@]}"; do
		if [[ $name == "$3"* ]]; then COMPREPLY+=("$name"); fi
	done
}

_mlsh() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local options argument further commands kind command='' seen=0 i
	COMPREPLY=()
	# bash splits --name=value into three words.
	if [[ $word == '=' ]]; then
		word=''
	elif [[ $before == '=' ]]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	_mlsh_words ''
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		'=') i=$((i + 1)) ;;
		-*)
			if [[ ${COMP_WORDS[i + 1]} != '=' ]] && _mlsh_value "$command" "${COMP_WORDS[i]}"; then
				i=$((i + 1))
			fi
			;;
		*)
			if [[ -z $command && -n $commands ]]; then
				command=${COMP_WORDS[i]}
				_mlsh_words "$command" || return 0
			else
				seen=$((seen + 1))
			fi
			;;
		esac
	done
	if [[ $before == -* ]] && _mlsh_value "$command" "$before"; then
		_mlsh_fill "$1" "$kind" "$word"
	elif [[ $word == -* ]]; then
		_mlsh_fill "$1" "=$options" "$word"
	elif [[ -z $command && -n $commands ]]; then
		_mlsh_fill "$1" "=$commands" "$word"
	elif [[ $seen == 0 && -n $argument ]]; then
		_mlsh_fill "$1" "$argument" "$word"
	else
		_mlsh_fill "$1" "$further" "$word"
	fi
}

complete -F _mlsh mlsh
