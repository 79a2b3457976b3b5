import {EnvsCommand} from '../src/cli/command.js'
import {forceFlag, nameArg} from '../src/cli/flags.js'
import {describeReplacedState, describeRestored} from '../src/cli/views/text.js'
import {type Restored, redo} from '../src/environments/snapshots/restore.js'

export default class Redo extends EnvsCommand {
  static override summary = 'Take back the last undo of an environment.'
  static override description =
    `Goes back to the state that envs undo replaced. Repeat to take back more of them. Saves the present state as a snapshot \
first. envs restore and envs reset end the list of undone states.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --force',
  ]
  static override args = {name: nameArg()}
  static override flags = {force: forceFlag('stop the environment first')}

  async run(): Promise<Restored> {
    const {args, flags} = await this.parse(Redo)
    const host = this.openHost()
    const settings = await this.settings()
    const isSynced = settings.value('durable') !== 'never'
    const went = await redo(host, args.name, {force: flags.force, isSynced})
    this.note(describeRestored(went, host.now()))
    this.note(describeReplacedState(went))
    return went
  }
}
