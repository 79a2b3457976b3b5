import type {ArchiveContext} from '../archive/context.js'
import type {Settings} from '../config/settings.js'
import type {Host} from '../host/host.js'
import type {ImageContext} from '../images/sources/source.js'

type Options = {readonly onNotice?: ArchiveContext['onNotice']}

/** Where package archives are looked up for this host and user. @throws {@link invalidSettingError} */
export function archiveContext(
  {environment, which, paths}: Pick<Host, 'environment' | 'which' | 'paths'>,
  settings: Settings,
  {keyrings, now, allowSha1, signal, backoffMs, ...options}: Omit<ImageContext, 'onNotice'> & Options,
): ArchiveContext {
  return {
    environment,
    which,
    paths,
    mirrors: {
      debian: settings.value('mirrors.debianArchive'),
      debianSecurity: settings.value('mirrors.debianSecurity'),
      ubuntu: settings.value('mirrors.ubuntuArchive'),
    },
    ...{keyrings, now, allowSha1, signal, backoffMs},
    onNotice: options.onNotice,
  }
}
