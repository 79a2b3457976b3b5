import {resolve} from 'node:path'
import {EnvsCommand} from '../src/cli/command.js'
import {nameArg} from '../src/cli/flags.js'
import {Flags} from '../src/cli/parse.js'
import {describeEnvironment} from '../src/project/describe.js'
import type {InitResult} from '../src/project/results.js'
import {projectText, writeNewFile} from '../src/project/write.js'

export default class Init extends EnvsCommand {
  static override summary = 'Write an envs.toml that makes an environment like one that is there.'
  static override description =
    `The file names the image, the packages that were installed by hand, and the users. Files that these do not explain stand in \
it as a comment: only you know what they are for.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --output -',
  ]
  static override args = {name: nameArg()}
  static override flags = {
    output: Flags.string({
      char: 'o',
      description: 'the file, or - for standard output',
      default: 'envs.toml',
      helpValue: 'FILE',
    }),
  }

  async run(): Promise<InitResult> {
    const {args, flags} = await this.parse(Init)
    const host = this.openHost()
    const facts = await describeEnvironment(host, args.name, {signal: this.signal()})
    const text = projectText(facts)
    const path = flags.output === '-' ? null : resolve(host.workingFolder, flags.output)
    if (path === null) this.print(text.trimEnd())
    else {
      await writeNewFile(path, text, args.name)
      this.note(`Wrote ${path}.`)
    }
    return {name: args.name, path, packages: facts.packages.length, files: facts.changed.length}
  }
}
