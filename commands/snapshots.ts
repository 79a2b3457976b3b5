import {EnvsCommand} from '../src/cli/command.js'
import {nameArg} from '../src/cli/flags.js'
import {formatBytes, formatRelativeTime} from '../src/cli/format.js'
import {Flags} from '../src/cli/parse.js'
import {describeSnapshotKind} from '../src/cli/views/text.js'
import type {RemovedResult} from '../src/environments/results.js'
import {listSnapshots, removeSnapshots} from '../src/environments/snapshots/list.js'
import type {SnapshotListResult} from '../src/environments/snapshots/results.js'

export default class Snapshots extends EnvsCommand {
  static override summary = 'List or remove the snapshots of an environment.'
  static override description =
    `CHANGES is the size of the changes since the snapshot before. HOLDS is the space that removing this snapshot \
alone frees: none while later snapshots, or the environment, use its layers. With --quiet: labels only, one a line.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --remove before-upgrade',
  ]
  static override args = {name: nameArg()}
  static override flags = {
    remove: Flags.string({
      description: 'label of a snapshot to remove; the environment does not change',
      helpValue: 'LABEL',
      multiple: true,
      multipleNonGreedy: true,
    }),
  }

  async run(): Promise<SnapshotListResult | RemovedResult> {
    const {args, flags} = await this.parse(Snapshots)
    if (flags.remove !== undefined) return this.#remove(args.name, flags.remove)
    const host = this.openHost()
    const snapshots = await listSnapshots(host, args.name)
    if (this.quiet) {
      for (const {label} of snapshots) this.print(label)
      return snapshots
    }
    if (snapshots.length === 0)
      this.note(`${args.name} has no snapshot yet. Make one: envs snapshot ${args.name}`)
    this.printTable(snapshots, [
      {title: 'label', show: ({label}) => label},
      {title: 'made', show: ({createdAt}) => formatRelativeTime(createdAt, host.now())},
      {title: 'changes', rank: 3, align: 'right', show: ({changedBytes}) => formatBytes(changedBytes)},
      {title: 'holds', rank: 4, align: 'right', show: ({heldBytes}) => formatBytes(heldBytes)},
      {title: 'what', show: ({kind}) => describeSnapshotKind(kind)},
    ])
    return snapshots
  }

  async #remove(name: string, labels: readonly string[]): Promise<{removed: string[]}> {
    const removed = await removeSnapshots(this.openHost(), name, labels)
    for (const label of removed) this.note(`Removed the snapshot ${label}.`)
    return {removed}
  }
}
