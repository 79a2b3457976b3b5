import type {Settings} from '../config/settings.js'
import type {Host} from '../host/host.js'
import {readCatalogue} from '../images/catalog/catalogue.js'
import {movedSuites} from '../images/catalog/moved-suites.js'
import type {ArchiveFacts} from '../rootfs/tree-process.js'

/** Where a new environment's APT is sent. @throws {@link invalidSettingError} */
export async function archiveFacts({now}: Pick<Host, 'now'>, settings: Settings): Promise<ArchiveFacts> {
  return {
    ubuntuMirror: settings.value('mirrors.ubuntuArchive'),
    debianMirror: settings.value('mirrors.debianArchive'),
    movedSuites: movedSuites(await readCatalogue(), now()),
  }
}
