import {EnvsCommand} from '../src/cli/command.js'
import {forceFlag, optionalNameArg} from '../src/cli/flags.js'
import type {StopResult} from '../src/environments/results.js'
import {stopEnvironment} from '../src/environments/session/processes.js'
import {chooseEnvironment} from '../src/store/environments.js'

export default class Stop extends EnvsCommand {
  static override summary = 'Stop an environment.'
  static override description =
    `Sends SIGTERM to each process, waits up to five seconds, then kills the rest. Stopping an environment that does \
not run succeeds.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --force',
  ]
  static override args = {name: optionalNameArg()}
  static override flags = {force: forceFlag('end it at once, without asking its processes')}

  async run(): Promise<StopResult> {
    const {args, flags} = await this.parse(Stop)
    const host = this.openHost()
    const {name} = await chooseEnvironment(host.paths, args.name)
    const wasRunning = await stopEnvironment(host, name, flags.force ? {graceMs: 0} : {})
    this.note(wasRunning ? `Stopped ${name}.` : `${name} was not running.`)
    return {name, wasRunning}
  }
}
