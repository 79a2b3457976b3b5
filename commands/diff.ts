import {EnvsCommand} from '../src/cli/command.js'
import {nameArg} from '../src/cli/flags.js'
import {Args, Flags} from '../src/cli/parse.js'
import {renderDifference} from '../src/cli/views/diff.js'
import {type DiffTarget, diffEnvironment} from '../src/environments/diff.js'
import type {DifferenceResult} from '../src/environments/diff-results.js'
import {UsageError} from '../src/errors.js'

export default class Diff extends EnvsCommand {
  static override summary =
    'Show the changes in an environment since its image, a snapshot or another environment.'
  static override description =
    `Reports packages, files that belong to no package, configuration files that differ from their package's, users \
and groups, services that would start at boot, setuid files and capabilities. Files of packages, caches, logs and \
records are only counted; --files lists them too. Times are ignored, and so is a file that was written again with the \
same content. The environment may be running: files are read as they are on disk.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play before-nginx --files',
    '<%= config.bin %> <%= command.id %> play other --json',
  ]
  static override args = {
    name: nameArg(),
    label: Args.string({
      description: 'snapshot, or other environment, to compare with [default: the image]',
      ignoreStdin: true,
    }),
  }
  static override flags = {
    files: Flags.boolean({default: false, description: 'list every file that differs'}),
    with: Flags.string({
      description: 'other environment to compare with, also if a snapshot has its name',
      helpValue: 'NAME',
    }),
  }

  async run(): Promise<DifferenceResult> {
    const {args, flags} = await this.parse(Diff)
    const target = chooseTarget(args.label, flags.with)
    const difference = await diffEnvironment(this.openHost(), args.name, target, {
      listsAll: flags.files,
      signal: this.signal(),
    })
    for (const line of renderDifference(difference, {listsAll: flags.files})) this.print(line)
    return difference
  }
}

function chooseTarget(label: string | undefined, other: string | undefined): DiffTarget {
  if (label !== undefined && other !== undefined)
    throw new UsageError('LABEL and --with cannot be used together.', ['Give LABEL, or --with NAME.'])
  if (label !== undefined) return {kind: 'snapshot', label}
  return other === undefined ? {kind: 'image'} : {kind: 'environment', name: other}
}
