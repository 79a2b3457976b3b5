import {EnvsCommand} from '../src/cli/command.js'
import {dryRunFlag, parseAge, yesFlag} from '../src/cli/flags.js'
import {formatBytes} from '../src/cli/format.js'
import {Flags} from '../src/cli/parse.js'
import {describeKeptSpace, describePrunable, describeTrash} from '../src/cli/views/text.js'
import {findKeptSpace, type KeptSpace} from '../src/environments/kept-space.js'
import {findPrunable, type Prunable, removePrunable} from '../src/environments/prune.js'
import type {PruneResult} from '../src/environments/results.js'
import type {Host} from '../src/host/host.js'
import {measureTrash} from '../src/store/trash.js'

export default class Prune extends EnvsCommand {
  static override summary = 'Free disk space that no environment needs.'
  static override description =
    `Removes ended environments of envs try, old automatic snapshots, unused layers of images, outdated and unused \
images, shared packages that were not used for long, and leftovers of killed commands. Keeps everything that a \
running environment or command uses, all snapshots that you made, and, without --removed, removed environments that can be \
recovered. \
Says what else takes disk space, and how to free it.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --dry-run',
    '<%= config.bin %> <%= command.id %> --older-than 12h --yes',
  ]
  static override flags = {
    'dry-run': dryRunFlag(),
    'older-than': Flags.string({
      description: 'minimum age, in hours, days or weeks [default: 7d]',
      default: '7d',
      helpValue: 'AGE',
    }),
    removed: Flags.boolean({description: 'also removed environments that can still be recovered'}),
    yes: yesFlag(),
  }

  async run(): Promise<PruneResult> {
    const {flags} = await this.parse(Prune)
    const host = this.openHost()
    const dryRun = flags['dry-run'] === true
    const olderThan = new Date(host.now().getTime() - parseAge(flags['older-than']))
    const found = await findPrunable(host, {olderThan, removed: flags.removed})
    const plan = found.map(({remove: _, ...prunable}) => prunable)
    const kept = await findKeptSpace(host, plan)
    this.printTable(plan, [
      {title: 'size', align: 'right', show: ({sizeBytes}) => formatBytes(sizeBytes)},
      {title: 'what', show: describePrunable},
      {title: 'reason', show: ({reason}) => reason},
    ])
    if (found.length === 0) this.note('There is nothing to remove.')
    if (!flags.removed) await this.#noteRemoved(host)
    if (dryRun || found.length === 0) return this.#tell(plan, {dryRun, kept})
    await this.confirm(`Remove all of this, ${formatBytes(total(plan))}?`, {yes: flags.yes})
    const {removed, failure} = await removePrunable(found)
    const told = this.#tell(removed, {dryRun, kept})
    if (failure !== undefined) throw failure.error
    return told
  }

  /** Without --removed, their space stays taken. */
  async #noteRemoved(host: Host): Promise<void> {
    const trash = await measureTrash(host)
    if (trash.length > 0) this.note(describeTrash(trash.length, total(trash)))
  }

  #tell(pruned: readonly Prunable[], {dryRun, kept}: {dryRun: boolean; kept: KeptSpace}): PruneResult {
    const freedBytes = total(pruned)
    if (pruned.length > 0) this.note(`${dryRun ? 'Would free' : 'Freed'} ${formatBytes(freedBytes)}.`)
    for (const line of describeKeptSpace(kept)) this.note(line)
    return {dryRun, freedBytes, kept, pruned: [...pruned]}
  }
}

function total(pruned: readonly {readonly sizeBytes: number}[]): number {
  return pruned.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)
}
