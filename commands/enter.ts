import {SessionCommand} from '../src/cli/command.js'
import {optionalNameArg, sessionFlags} from '../src/cli/flags.js'
import {printStartNotice} from '../src/cli/session-line.js'
import {runTypedSession} from '../src/environments/session/typed-session.js'
import {sessionFields} from '../src/sandbox/session-options.js'

export default class Enter extends SessionCommand {
  static override summary = 'Open a login shell in an environment, as root.'
  static override description =
    `Starts the environment if it is not running. Services started inside continue when the shell ends. The \
environment ends a second after its last process.`
  static override aliases = ['login', 'sh']
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --user www-data --volume ./site:/var/www/html',
  ]
  static override args = {name: optionalNameArg()}
  static override flags = sessionFlags()

  async run(): Promise<undefined> {
    const {args, flags} = await this.parse(Enter)
    const session = {name: args.name, command: [], fields: sessionFields(flags)}
    process.exitCode = await runTypedSession(this.openHost(), session, {onNotice: printStartNotice})
  }
}
