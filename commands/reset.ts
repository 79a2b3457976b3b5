import {EnvsCommand} from '../src/cli/command.js'
import {forceFlag, nameArg} from '../src/cli/flags.js'
import {describeReplacedState} from '../src/cli/views/text.js'
import {type Restored, reset} from '../src/environments/snapshots/restore.js'

export default class Reset extends EnvsCommand {
  static override summary = 'Reset an environment to its image.'
  static override description =
    `Saves the present state as a snapshot first. Name and settings of the environment do not change.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --force',
  ]
  static override args = {name: nameArg()}
  static override flags = {force: forceFlag('stop the environment first')}

  async run(): Promise<Restored> {
    const {args, flags} = await this.parse(Reset)
    const host = this.openHost()
    const settings = await this.settings()
    const isSynced = settings.value('durable') !== 'never'
    const went = await reset(host, args.name, {force: flags.force, isSynced})
    this.note(`${went.name} is reset to its image.`)
    this.note(describeReplacedState(went))
    return went
  }
}
