# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Made by `make manual` from the tables of options: do not edit.

# Sets what can be completed for a command, '' for the program itself.
_mlsh_signal_words() { # command
	options='' argument='' further='' commands=''
	case $1 in
	'')
		options='--version --help'
		commands='clusters nodes log token backup restore accept take-over'
		;;
	clusters)
		options='--json --help' ;;
	nodes)
		options='--json --all --help' argument=clusters ;;
	log)
		options='--json --help' argument=clusters ;;
	token)
		options='--ttl --help' ;;
	backup)
		options='--json --force --help' argument=files ;;
	restore)
		options='--json --check --accept --help' argument=files ;;
	accept)
		options='--help' argument=clusters ;;
	take-over)
		options='--help' ;;
	*) return 1 ;;
	esac
}

# Returns 0 if the option takes a value, and sets the kind of that.
_mlsh_signal_value() { # command, option
	kind=''
	case $1:$2 in
	token:--ttl) kind='' ;;
	*) return 1 ;;
	esac
}

# Adds the words that fit. They are never evaluated.
_mlsh_signal_fill() { # program, kind ("=one two": these words), beginning of the word
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

_mlsh_signal() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local options argument further commands kind command='' seen=0 i
	COMPREPLY=()
	# bash splits --name=value into three words.
	if [[ $word == '=' ]]; then
		word=''
	elif [[ $before == '=' ]]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	_mlsh_signal_words ''
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		'=') i=$((i + 1)) ;;
		-*)
			if [[ ${COMP_WORDS[i + 1]} != '=' ]] && _mlsh_signal_value "$command" "${COMP_WORDS[i]}"; then
				i=$((i + 1))
			fi
			;;
		*)
			if [[ -z $command && -n $commands ]]; then
				command=${COMP_WORDS[i]}
				_mlsh_signal_words "$command" || return 0
			else
				seen=$((seen + 1))
			fi
			;;
		esac
	done
	if [[ $before == -* ]] && _mlsh_signal_value "$command" "$before"; then
		_mlsh_signal_fill "$1" "$kind" "$word"
	elif [[ $word == -* ]]; then
		_mlsh_signal_fill "$1" "=$options" "$word"
	elif [[ -z $command && -n $commands ]]; then
		_mlsh_signal_fill "$1" "=$commands" "$word"
	elif [[ $seen == 0 && -n $argument ]]; then
		_mlsh_signal_fill "$1" "$argument" "$word"
	else
		_mlsh_signal_fill "$1" "$further" "$word"
	fi
}

complete -F _mlsh_signal mlsh-signal
