/**
 * Marks of synthetic media in an image's XMP: IPTC's digital source type, and the label that Chinese law requires
 * (TC260, GB 45438-2025). Programs that label synthetic media read them.
 */

const NEWSCODES = 'http://cv.iptc.org/newscodes/digitalsourcetype/'

/** A face swap: trained models changed a part of an existing image. */
export const COMPOSITE_WITH_TRAINED_MEDIA = `${NEWSCODES}compositeWithTrainedAlgorithmicMedia`

/** Types that declare an image synthetic. Any other type, such as the template's, is wrong for a swap. */
const SYNTHETIC = new Set(
  ['compositeWithTrainedAlgorithmicMedia', 'trainedAlgorithmicMedia', 'compositeSynthetic', 'algorithmicMedia'].map(
    (name) => NEWSCODES + name,
  ),
)

/** Only this much of an XMP packet is searched. */
const MAX_XMP_CHARS = 256 * 1024

export interface SyntheticMark {
  /** URI of an IPTC digital source type. */
  readonly digitalSourceType: string
  /** The text of the TC260 label, escaped as in its XMP; null if there is none. */
  readonly aigcLabel: string | null
}

/** Returns the marks in the XMP of a swapped image; if it declares no synthetic type, that of a face swap. */
export function findSyntheticMark(xmp: string | null): SyntheticMark {
  const text = xmp?.slice(0, MAX_XMP_CHARS) ?? ''
  const name =
    /DigitalSourceType[^<]{0,100}?https?:\/\/cv\.iptc\.org\/newscodes\/digitalsourcetype\/([A-Za-z]{1,64})/.exec(
      text,
    )?.[1]
  const found = NEWSCODES + (name ?? '')
  const label = /<TC260:AIGC>([^<]{1,4000})<|\bTC260:AIGC="([^"<]{1,4000})"/.exec(text)
  return {
    digitalSourceType: SYNTHETIC.has(found) ? found : COMPOSITE_WITH_TRAINED_MEDIA,
    aigcLabel: label?.[1] ?? label?.[2] ?? null,
  }
}

/** Returns an XMP packet with these marks only. */
export function toXmp({ digitalSourceType, aigcLabel }: SyntheticMark, creatorTool: string): string {
  const label = aigcLabel === null ? '' : `\n   <TC260:AIGC>${aigcLabel}</TC260:AIGC>`
  return `<?xpacket begin="\uFEFF" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
   xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/"
   xmlns:xmp="http://ns.adobe.com/xap/1.0/"
   Iptc4xmpExt:DigitalSourceType="${digitalSourceType}"
   xmp:CreatorTool="${creatorTool}">${label}
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>`
}
