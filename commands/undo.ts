import {EnvsCommand} from '../src/cli/command.js'
import {forceFlag, nameArg} from '../src/cli/flags.js'
import {describeReplacedState, describeRestored} from '../src/cli/views/text.js'
import {type Restored, undo} from '../src/environments/snapshots/restore.js'

export default class Undo extends EnvsCommand {
  static override summary = 'Undo the last changes to an environment.'
  static override description =
    `Goes back to the newest snapshot or restore point that differs from the present state; envs makes a restore \
point at each start. Repeat to go further back; envs redo takes an undo back. Saves the \
present state as a snapshot first.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --force',
  ]
  static override args = {name: nameArg()}
  static override flags = {force: forceFlag('stop the environment first')}

  async run(): Promise<Restored> {
    const {args, flags} = await this.parse(Undo)
    const host = this.openHost()
    const settings = await this.settings()
    const isSynced = settings.value('durable') !== 'never'
    const went = await undo(host, args.name, {force: flags.force, isSynced})
    this.note(describeRestored(went, host.now()))
    this.note(describeReplacedState(went))
    return went
  }
}
