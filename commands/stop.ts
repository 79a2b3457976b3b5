import {EnvsCommand} from '../src/cli/command.js'
import {forceFlag, optionalNameArg, parseWait} from '../src/cli/flags.js'
import {Flags} from '../src/cli/parse.js'
import type {StopResult} from '../src/environments/results.js'
import {stopEnvironment} from '../src/environments/session/processes.js'
import {chooseEnvironment} from '../src/store/environments.js'

export default class Stop extends EnvsCommand {
  static override summary = 'Stop an environment.'
  static override description =
    `Sends SIGTERM to each process, waits up to five seconds, then kills the rest. The systemd of an environment is asked \
to stop its units, for up to 90 seconds. Processes that did not end by themselves are named. Stopping an environment that \
does not run succeeds.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --force',
  ]
  static override args = {name: optionalNameArg()}
  static override flags = {
    force: forceFlag('end it at once, without asking its processes'),
    timeout: Flags.string({
      description: 'time that its processes have to end [default: 5s; 90s with an init]',
      helpValue: 'TIME',
    }),
  }

  async run(): Promise<StopResult> {
    const {args, flags} = await this.parse(Stop)
    const host = this.openHost()
    const {name} = await chooseEnvironment(host.paths, args.name)
    const timeoutMs = flags.timeout === undefined ? undefined : parseWait(flags.timeout)
    const graceMs = flags.force ? 0 : timeoutMs
    const {wasRunning, killed} = await stopEnvironment(host, name, {graceMs})
    for (const {pid, command} of flags.force ? [] : killed)
      this.warn(`process ${pid} did not end by itself, and was killed: ${command}`)
    this.note(wasRunning ? `Stopped ${name}.` : `${name} was not running.`)
    return {name, wasRunning, killed: killed.map(({pid, command}) => ({pid, command}))}
  }
}
