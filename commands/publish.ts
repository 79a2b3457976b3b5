import {EnvsCommand} from '../src/cli/command.js'
import {nameArg} from '../src/cli/flags.js'
import {Args, Flags} from '../src/cli/parse.js'
import {changePublications} from '../src/environments/network/publish.js'
import type {PublishResult} from '../src/environments/network/results.js'
import {UsageError} from '../src/errors.js'
import {formatPublication, parsePublication} from '../src/sandbox/network/publication.js'

export default class Publish extends EnvsCommand {
  static override summary = 'Let a port of the host lead to a port of an environment.'
  static override description =
    `PORT is [ADDRESS:]PORT:GUEST: a TCP port of the host, at 127.0.0.1 unless another address is given, and the port \
in the environment. The environment needs a network of its own (envs set NAME network=none, or private). A running one \
has the change at once, and keeps it.`
  static override usage = 'publish NAME PORT... [FLAG...]'
  static override strict = false
  static override examples = [
    '<%= config.bin %> <%= command.id %> play 8080:80',
    '<%= config.bin %> <%= command.id %> play 0.0.0.0:8443:443',
    '<%= config.bin %> <%= command.id %> play 8080:80 --remove',
  ]
  static override args = {
    name: nameArg(),
    ports: Args.string({description: 'ports to publish', ignoreStdin: true}),
  }
  static override flags = {
    remove: Flags.boolean({description: 'take the publications back'}),
  }

  async run(): Promise<PublishResult> {
    const {argv, flags} = await this.parse(Publish)
    const [name = '', ...words] = argv.map(String)
    if (words.length === 0)
      throw new UsageError('No port was given.', ['Write [ADDRESS:]PORT:GUEST: envs publish play 8080:80'])
    const change = {publications: words.map(parsePublication), isRemoval: flags.remove === true}
    const changed = await changePublications(this.openHost(), name, change)
    for (const each of change.publications) {
      const text = formatPublication(each)
      this.note(`${changed.name}: ${text} is ${change.isRemoval ? 'no longer published' : 'published'}.`)
    }
    if (!changed.isInForce && !change.isRemoval)
      this.note(`Connections arrive from its next start on: envs run ${changed.name}`)
    return changed
  }
}
