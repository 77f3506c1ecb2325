# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Made by `make manual` from the tables of options: do not edit.

# Sets what can be completed for a command, '' for the program itself.
_mlshtund_words() { # command
	options='' argument='' further='' commands=''
	case $1 in
	'')
		options='--socket --state-dir --port --port-mapping --log --version --help' ;;
	*) return 1 ;;
	esac
}

# Returns 0 if the option takes a value, and sets the kind of that.
_mlshtund_value() { # command, option
	kind=''
	case $1:$2 in
	:--socket) kind='files' ;;
	:--state-dir) kind='files' ;;
	:--port) kind='' ;;
	:--port-mapping) kind='=on off' ;;
	:--log) kind='=error warn info debug trace' ;;
	*) return 1 ;;
	esac
}

# Adds the words that fit. They are never evaluated.
_mlshtund_fill() { # program, kind ("=one two": these words), beginning of the word
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

_mlshtund() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local options argument further commands kind command='' seen=0 i
	COMPREPLY=()
	# bash splits --name=value into three words.
	if [[ $word == '=' ]]; then
		word=''
	elif [[ $before == '=' ]]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	_mlshtund_words ''
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		'=') i=$((i + 1)) ;;
		-*)
			if [[ ${COMP_WORDS[i + 1]} != '=' ]] && _mlshtund_value "$command" "${COMP_WORDS[i]}"; then
				i=$((i + 1))
			fi
			;;
		*)
			if [[ -z $command && -n $commands ]]; then
				command=${COMP_WORDS[i]}
				_mlshtund_words "$command" || return 0
			else
				seen=$((seen + 1))
			fi
			;;
		esac
	done
	if [[ $before == -* ]] && _mlshtund_value "$command" "$before"; then
		_mlshtund_fill "$1" "$kind" "$word"
	elif [[ $word == -* ]]; then
		_mlshtund_fill "$1" "=$options" "$word"
	elif [[ -z $command && -n $commands ]]; then
		_mlshtund_fill "$1" "=$commands" "$word"
	elif [[ $seen == 0 && -n $argument ]]; then
		_mlshtund_fill "$1" "$argument" "$word"
	else
		_mlshtund_fill "$1" "$further" "$word"
	fi
}

complete -F _mlshtund mlshtund
