import {type Guest, quoted} from './guest.js'
import {runInTerminal, type TerminalRun, type Typed} from './terminal.js'

/**
 * A line of the host's shell on a terminal of its own, in which `envs` is the built CLI in the guest's store.
 *
 * @returns What {@link runInTerminal} does; what was typed is echoed on the screen too.
 */
export function onTerminal(
  {cli}: Pick<Guest, 'cli'>,
  line: string,
  typed: readonly Typed[] = [],
): Promise<TerminalRun> {
  const script = `envs() { ${quoted(cli.words)} "$@"; }; ${line}`
  // Without these, the developer's own would reach the command and the guest.
  const cleared = Object.fromEntries(Object.keys(process.env).map((name) => [name, '']))
  return runInTerminal(script, {
    typed,
    env: {...cleared, ...cli.env, SHELL: '/bin/bash'},
  })
}
