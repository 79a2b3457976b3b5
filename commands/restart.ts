import {EnvsCommand} from '../src/cli/command.js'
import {bootFlags, bootRequest, optionalNameArg} from '../src/cli/flags.js'
import {describeFailedUnits} from '../src/cli/views/start.js'
import type {StartResult} from '../src/environments/boot/results.js'
import {restartEnvironment} from '../src/environments/boot/start.js'

export default class Restart extends EnvsCommand {
  static override summary = 'Stop an environment that has an init, and boot it again.'
  static override description = 'Stops it as envs stop does, then boots it and waits as envs start does.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --wait nginx.service',
  ]
  static override args = {name: optionalNameArg()}
  static override flags = bootFlags()

  async run(): Promise<StartResult> {
    const {args, flags} = await this.parse(Restart)
    const started = await restartEnvironment(this.openHost(), args.name, {
      ...bootRequest(flags),
      signal: this.signal(),
    })
    this.note(`${started.name} is running again.`)
    for (const line of describeFailedUnits(started)) this.warn(line)
    return started
  }
}
