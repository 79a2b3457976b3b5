import {type DiffTarget, diffEnvironment} from '../src/environments/diff.js'
import type {DifferenceResult} from '../src/environments/results.js'
import {UsageError} from '../src/errors.js'
import {nameArg} from '../src/ui/arguments.js'
import {EnvsCommand} from '../src/ui/command.js'
import {Args, Flags} from '../src/ui/definitions.js'
import {renderDifference} from '../src/ui/difference-report.js'

export default class Diff extends EnvsCommand {
  static override summary = 'Tell what has changed in an environment since it was made, or since a snapshot.'
  static override description =
    `Packages, files of no package, settings that are not as their package brought them, users and groups, services that \
would start at boot, setuid files and capabilities. Files that packages bring, caches, logs and records are counted; --files \
lists them too. Times do not count, and neither does a file that was written anew with the same content. It may run \
meanwhile: files are read as they are on disk.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play before-nginx --files',
    '<%= config.bin %> <%= command.id %> play --with other --json',
  ]
  static override args = {
    name: nameArg(),
    label: Args.string({
      description: 'snapshot of it to compare with; its image when left out',
      ignoreStdin: true,
    }),
  }
  static override flags = {
    files: Flags.boolean({default: false, description: 'list every file that differs'}),
    with: Flags.string({description: 'another environment to compare with', helpValue: 'NAME'}),
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
