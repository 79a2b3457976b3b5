import {readSettings} from '../src/config/settings.js'
import {runInEnvironment} from '../src/environments/session.js'
import {optionalNameArg, sessionFlags} from '../src/ui/arguments.js'
import {SessionCommand} from '../src/ui/session-command.js'

export default class Enter extends SessionCommand {
  static override summary = 'Open a login shell in an environment, as root.'
  static override description =
    `Starts the environment if it is not running. Services started inside continue when the shell ends. The \
environment ends a second after its last process.`
  static override hiddenAliases = ['login', 'shell', 'sh']
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --user www-data --volume ./site:/var/www/html',
  ]
  static override args = {name: optionalNameArg()}
  static override flags = sessionFlags()

  async run(): Promise<undefined> {
    const {args, flags} = await this.parse(Enter)
    const host = this.openHost()
    const settings = await readSettings(host)
    process.exitCode = await runInEnvironment(host, args.name, {
      command: [],
      user: flags.user,
      workingFolder: flags.workdir,
      variables: flags.env ?? [],
      volumes: flags.volume ?? [],
      durable: settings.value('durable'),
      engine: settings.value('engine'),
    })
  }
}
