import {EnvsCommand} from '../../src/cli/command.js'
import {dryRunFlag, parseAge, yesFlag} from '../../src/cli/flags.js'
import {formatBytes} from '../../src/cli/format.js'
import {Flags} from '../../src/cli/parse.js'
import {pruneImages} from '../../src/images/cache/remove.js'
import type {ImagePruneResult} from '../../src/images/results.js'

export default class ImagePrune extends EnvsCommand {
  static override summary = 'Remove outdated images.'
  static override description =
    `Removes images of which a newer version is cached, incomplete downloads and damaged images; with --older-than, \
also images that were not used for that long. Environments keep their files. Images that a running command uses stay.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --dry-run',
    '<%= config.bin %> <%= command.id %> --older-than 30d',
  ]
  static override flags = {
    'dry-run': dryRunFlag(),
    'older-than': Flags.string({
      description: 'also images not used for hours, days or weeks',
      helpValue: 'AGE',
    }),
    yes: yesFlag(),
  }

  async run(): Promise<ImagePruneResult> {
    const {flags} = await this.parse(ImagePrune)
    const {paths, now} = this.openHost()
    const dryRun = flags['dry-run'] === true
    const age = flags['older-than']
    const olderThan = age === undefined ? undefined : new Date(now().getTime() - parseAge(age))
    const pruned = await pruneImages(paths.images, {olderThan, dryRun, now: now()})
    const freedBytes = pruned.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)
    this.printTable(pruned, [
      {title: 'name', show: ({name}) => name ?? '-'},
      {title: 'version', rank: 2, show: ({version}) => version ?? '-'},
      {title: 'digest', rank: 3, show: ({sha256}) => sha256.slice(0, 12)},
      {title: 'size', align: 'right', show: ({sizeBytes}) => formatBytes(sizeBytes)},
      {title: 'reason', show: ({reason}) => reason},
    ])
    const would = dryRun ? 'Would free' : 'Freed'
    this.note(pruned.length === 0 ? 'There is nothing to remove.' : `${would} ${formatBytes(freedBytes)}.`)
    return {dryRun, freedBytes, pruned}
  }
}
