import {EnvsCommand} from '../src/cli/command.js'
import {bootFlags, bootRequest, optionalNameArg} from '../src/cli/flags.js'
import {describeFailedUnits} from '../src/cli/views/start.js'
import type {StartResult} from '../src/environments/boot/results.js'
import {startEnvironment} from '../src/environments/boot/start.js'

export default class Start extends EnvsCommand {
  static override summary = 'Boot an environment that has an init.'
  static override description =
    `Starts the init (envs create --init, envs set NAME init=systemd), and returns when each enabled service has started or \
failed; services that failed are named, and are no failure of the command. The environment runs until envs stop, or the \
end of the host's session. With --wait: also waits for ports and units.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --wait port:5432 --timeout 5m',
  ]
  static override args = {name: optionalNameArg()}
  static override flags = bootFlags()

  async run(): Promise<StartResult> {
    const {args, flags} = await this.parse(Start)
    const started = await startEnvironment(this.openHost(), args.name, {
      ...bootRequest(flags),
      signal: this.signal(),
    })
    this.note(`${started.name} ${started.wasRunning ? 'was running already' : 'is running'}.`)
    for (const line of describeFailedUnits(started)) this.warn(line)
    return started
  }
}
