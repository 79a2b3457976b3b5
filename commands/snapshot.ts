import {EnvsCommand} from '../src/cli/command.js'
import {nameArg} from '../src/cli/flags.js'
import {formatBytes} from '../src/cli/format.js'
import {Args} from '../src/cli/parse.js'
import {type TakenSnapshot, takeSnapshot} from '../src/environments/snapshots/create.js'

export default class Snapshot extends EnvsCommand {
  static override summary = 'Save the state of an environment as a snapshot.'
  static override description =
    `Takes no time and no space if the environment is not running. If the environment is running, its processes are \
frozen while the changes since its start are copied.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play before-upgrade',
  ]
  static override args = {
    name: nameArg(),
    label: Args.string({description: 'label of the snapshot [default: the time]', ignoreStdin: true}),
  }

  async run(): Promise<TakenSnapshot> {
    const {args} = await this.parse(Snapshot)
    const host = this.openHost()
    const settings = await this.settings()
    const taken = await takeSnapshot(host, args.name, {
      label: args.label,
      isSynced: settings.value('durable') !== 'never',
      signal: this.signal(),
    })
    this.note(`Made snapshot ${taken.label} of ${taken.name}.`)
    if (taken.frozenMs > 0)
      this.note(
        `${formatBytes(taken.copiedBytes)} were copied, and its processes were frozen for ${Math.ceil(taken.frozenMs)} ms.`,
      )
    return taken
  }
}
