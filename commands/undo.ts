import {readSettings} from '../src/config/settings.js'
import type {WentBack} from '../src/environments/go-back.js'
import {undo} from '../src/environments/restore.js'
import {forceFlag, nameArg} from '../src/ui/arguments.js'
import {EnvsCommand} from '../src/ui/command.js'
import {formatRelativeTime} from '../src/ui/relative-time.js'
import {describeKept} from '../src/ui/snapshot-wording.js'

export default class Undo extends EnvsCommand {
  static override summary = 'Take back what was last done in an environment.'
  static override description =
    `Each start of an environment is a point to go back to, and so is each snapshot: undo goes to the last one that \
differs from what is there now, and undone again, further back. Nothing is lost: what is there now is kept as a snapshot.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> play --force',
  ]
  static override args = {name: nameArg()}
  static override flags = {force: forceFlag('stop it first when it runs')}

  async run(): Promise<WentBack> {
    const {args, flags} = await this.parse(Undo)
    const host = this.openHost()
    const settings = await readSettings(host)
    const isSynced = settings.value('durable') !== 'never'
    const went = await undo(host, args.name, {force: flags.force, isSynced})
    this.note(
      `${went.name} is restored to ${went.label}, made ${formatRelativeTime(went.createdAt, host.now())}.`,
    )
    this.note(describeKept(went))
    return went
  }
}
