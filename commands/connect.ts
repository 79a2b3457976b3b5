import {EnvsCommand} from '../src/cli/command.js'
import {Args, Flags} from '../src/cli/parse.js'
import {connectEnvironments, parseConnection} from '../src/environments/network/connect.js'
import type {ConnectResult} from '../src/environments/network/results.js'

export default class Connect extends EnvsCommand {
  static override summary = 'Let an environment reach a port of another.'
  static override description =
    `The port of SERVER is also at 127.0.0.1 in CLIENT, until one of the two ends. Both run with a network of their own \
(none or private), in any identity.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> db:5432 web',
    '<%= config.bin %> <%= command.id %> db:5432 web:15432',
    '<%= config.bin %> <%= command.id %> db:5432 web --remove',
  ]
  static override args = {
    server: Args.string({description: 'environment and port: NAME:PORT', ignoreStdin: true, required: true}),
    client: Args.string({
      description: "environment, and its port [default: the server's]",
      ignoreStdin: true,
      required: true,
    }),
  }
  static override flags = {
    remove: Flags.boolean({description: 'end the connection'}),
  }

  async run(): Promise<ConnectResult> {
    const {args, flags} = await this.parse(Connect)
    const wish = parseConnection(args.server, args.client)
    const result = await connectEnvironments(this.openHost(), wish, {isRemoval: flags.remove === true})
    const {name, port, client, clientPort, isConnected} = result
    this.note(
      isConnected
        ? `127.0.0.1:${clientPort} in ${client} leads to port ${port} of ${name}.`
        : `127.0.0.1:${clientPort} in ${client} leads to ${name} no more.`,
    )
    return result
  }
}
