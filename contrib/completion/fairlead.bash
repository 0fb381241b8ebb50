# bash completion for fairlead(8)
_fairlead() {
	local cur=${COMP_WORDS[COMP_CWORD]} word verb='' verbs='doctor explain check schema plan record export import apply confirm assert status metrics restore history run up down stop ps reset pause resume console log dump attach detach failover lease release scrub irq latency'
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case " $verbs " in *" $word "*) verb=$word ;; esac
	done
	if [[ $cur == -* ]]; then
		local opts='--json --help --version'
		case $verb in
		doctor) opts+=' --root' ;;
		explain) opts+=' --root --socket' ;;
		run) opts+=' --socket --report --user --no-reboot' ;;
		up) opts+=' --socket --report --user --no-reboot --boot' ;;
		stop) opts+=' --socket --now --grace' ;;
		down) opts+=' --socket --now --grace --boot' ;;
		console) opts+=' --socket --read-only --log' ;;
		irq) opts+=' --socket --root' ;;
		detach) opts+=' --socket --now' ;;
		failover) opts+=' --socket --now --back --to-standby --device' ;;
		plan) opts+=' --socket --sim --commands' ;;
		record) opts+=' --socket --root --anonymize' ;;
		export) opts+=' --socket --root --sim --format' ;;
		import) opts+=' --root' ;;
		metrics) opts+=' --socket --serve' ;;
		lease) opts+=' --socket --hold --device --attributes' ;;
		apply) opts+=' --socket --sim --force --confirm-within --allow-disruption' ;;
		confirm | assert | history | status | restore | attach | ps | reset | pause | resume | log | dump | release | scrub) opts+=' --socket' ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$opts" -- "$cur")
		return
	fi
	case $verb in
	'') mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur") ;;
	doctor | explain | scrub) mapfile -t COMPREPLY < <(compgen -W "$(ls /sys/bus/pci/devices 2>/dev/null)" -- "${cur//\\/}") ;;
	record) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	check | plan | apply | assert | export | import | dump | latency) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	esac
}
complete -F _fairlead fairlead
