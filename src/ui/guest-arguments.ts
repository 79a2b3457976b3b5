import {SESSION_OPTIONS} from '../sandbox/session-options.js'

/** Commands whose arguments after NAME belong to the guest, with their aliases. */
const GUEST_COMMANDS: ReadonlySet<string> = new Set(['run', 'exec'])

/** Their options that take the next argument as a value. */
const VALUE_OPTIONS: ReadonlySet<string> = new Set(
  SESSION_OPTIONS.flatMap(({name, letter}) => [`--${name}`, `-${letter}`]),
)

/**
 * Puts `--` between NAME and the guest's command, for oclif looks for flags, `--help` and `--json` up to
 * the first `--`. A `--` that the user put there is the same one; later ones are the guest's.
 *
 * @param argv - The whole command line, the command's name first.
 */
export function separateGuestCommand(argv: readonly string[]): string[] {
  const [command, ...rest] = argv
  if (command === undefined || !GUEST_COMMANDS.has(command)) return [...argv]
  const at = positionOfName(rest)
  if (at === undefined) return [...argv]
  const guest = rest.slice(at + 1)
  return [command, ...rest.slice(0, at + 1), '--', ...(guest[0] === '--' ? guest.slice(1) : guest)]
}

/** Own arguments before the first `--`, the guest's after it in the order typed: oclif's `argv` re-sorts repeats. */
export function splitAtSeparator(argv: readonly string[]): {own: string[]; guest: string[]} {
  const at = argv.indexOf('--')
  return at === -1 ? {own: [...argv], guest: []} : {own: argv.slice(0, at), guest: argv.slice(at + 1)}
}

function positionOfName(argv: readonly string[]): number | undefined {
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? ''
    if (argument === '--') return undefined
    if (VALUE_OPTIONS.has(argument)) at++
    else if (!argument.startsWith('-') || argument === '-') return at
  }
  return undefined
}
