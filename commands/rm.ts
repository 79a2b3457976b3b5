import {EnvsCommand} from '../src/cli/command.js'
import {forceFlag, yesFlag} from '../src/cli/flags.js'
import {Args, Flags} from '../src/cli/parse.js'
import {
  describeDeleted,
  describeRemoval,
  describeSpaceTaken,
  describeStaleShims,
} from '../src/cli/views/text.js'
import {removeEnvironments} from '../src/environments/remove.js'
import type {RemovalResult} from '../src/environments/results.js'
import {shimsOf} from '../src/environments/shims.js'
import {freeSpace, trashBounds} from '../src/store/trash.js'

export default class Rm extends EnvsCommand {
  static override summary = 'Remove environments and all their files.'
  static override description =
    `Never asks for confirmation: envs recover brings a removed environment back for three days (settings trashTime \
and trashSize), with its snapshots. With --now: deletes the files at once, also those of an environment that was \
removed before. Environments of envs try cannot be recovered. Refuses an environment that is running, unless --force is \
given. Follows no link and touches nothing outside the environment; shared folders stay.`
  static override usage = 'rm NAME... [FLAG...]'
  static override aliases = ['remove', 'delete']
  static override strict = false
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> --force play test-1 test-2',
    '<%= config.bin %> <%= command.id %> --now play',
  ]
  static override args = {
    names: Args.string({description: 'names of the environments', ignoreStdin: true, required: true}),
  }
  static override flags = {
    force: forceFlag('stop running environments first'),
    now: Flags.boolean({description: 'delete the files at once, which cannot be undone'}),
    yes: yesFlag(),
  }

  async run(): Promise<RemovalResult> {
    const {argv, flags} = await this.parse(Rm)
    const host = this.openHost()
    const trash = flags.now ? undefined : await trashBounds(host, await this.settings())
    const {removals, kept, deleted} = await removeEnvironments(host, argv.map(String), {
      force: flags.force,
      trash,
      onRemoved: (removal) => this.note(describeRemoval(removal.name, removal.kept)),
    })
    if (trash !== undefined) {
      const space = {maxBytes: trash.maxBytes, freeBytes: await freeSpace(host)}
      for (const {removed, sizeBytes} of kept) {
        const taken = describeSpaceTaken({name: removed.name, sizeBytes}, space)
        if (taken !== undefined) this.note(taken)
      }
    }
    if (deleted.length > 0) this.note(describeDeleted(deleted.map(({removed}) => removed.name)))
    for (const {name} of removals) {
      const left = describeStaleShims(await shimsOf(host, name))
      if (left !== undefined) this.note(left)
    }
    return {
      removed: removals.map(({name}) => name),
      recoverable: removals.flatMap(({name, kept: one}) =>
        one === undefined ? [] : {name, keptUntil: one.keptUntil},
      ),
    }
  }
}
