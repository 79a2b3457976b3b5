import {EnvsCommand} from '../src/cli/command.js'
import {forceFlag, nameArg} from '../src/cli/flags.js'
import {Args} from '../src/cli/parse.js'
import {describeReplacedState} from '../src/cli/views/text.js'
import {type Restored, restoreSnapshot} from '../src/environments/snapshots/restore.js'

export default class Restore extends EnvsCommand {
  static override summary = 'Restore an environment to a snapshot.'
  static override description =
    'Saves the present state as a snapshot first. The name of the environment does not change.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> play before-upgrade',
    '<%= config.bin %> <%= command.id %> play before-upgrade --force',
  ]
  static override args = {
    name: nameArg(),
    label: Args.string({description: 'label of the snapshot', ignoreStdin: true, required: true}),
  }
  static override flags = {force: forceFlag('stop the environment first')}

  async run(): Promise<Restored> {
    const {args, flags} = await this.parse(Restore)
    const host = this.openHost()
    const settings = await this.settings()
    const isSynced = settings.value('durable') !== 'never'
    const went = await restoreSnapshot(host, args.name, {label: args.label, force: flags.force, isSynced})
    this.note(`${went.name} is restored to ${went.label}.`)
    this.note(describeReplacedState(went))
    return went
  }
}
