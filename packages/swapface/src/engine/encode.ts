/**
 * Turns the finished pixels into a file: JPEG, or PNG where the target has transparency. Nothing of the inputs' metadata
 * is in it; what is in it says that the picture is a composite made with trained models, in the words of the IPTC
 * (digitalSourceType), which programs that label synthetic media read.
 */
import sharp from 'sharp'

import type { DecodedImage } from './decode.ts'

export interface EncodedImage {
  readonly image: Uint8Array
  readonly contentType: 'image/jpeg' | 'image/png'
  readonly width: number
  readonly height: number
}

export const SOFTWARE_NAME = 'swapface-gateway embedded engine'
export const DIGITAL_SOURCE_TYPE = 'http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia'

const XMP = `<?xpacket begin="\uFEFF" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
   xmlns:xmp="http://ns.adobe.com/xap/1.0/"
   Iptc4xmpExt:DigitalSourceType="${DIGITAL_SOURCE_TYPE}"
   xmp:CreatorTool="${SOFTWARE_NAME}"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>`

export async function encodeImage({ picture, alpha }: DecodedImage): Promise<EncodedImage> {
  const { width, height, rgb } = picture
  let pipeline = sharp(rgb, { raw: { width, height, channels: 3 }, limitInputPixels: false })
  if (alpha !== null) {
    pipeline = pipeline.joinChannel(Buffer.from(alpha.buffer, alpha.byteOffset, alpha.byteLength), {
      raw: { width, height, channels: 1 },
    })
  }
  pipeline = pipeline.withXmp(XMP).withExif({
    IFD0: { Software: SOFTWARE_NAME, ImageDescription: 'Face swap: a composite made with trained models' },
  })
  const image = await (alpha === null
    ? pipeline.jpeg({ quality: 92, chromaSubsampling: '4:4:4' }).toBuffer()
    : pipeline.png({ compressionLevel: 6 }).toBuffer())
  return { image, contentType: alpha === null ? 'image/jpeg' : 'image/png', width, height }
}
