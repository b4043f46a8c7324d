import { describeStorage } from "./_storage-contract.ts";
import {
  openFakePlace,
  openFolderPlace,
  openS3Place,
  openSubnetApiPlace,
  openSubnetApiS3Place,
} from "./_storage-places.ts";

describeStorage({ name: "the fake", lacks: [], open: openFakePlace });
describeStorage({ name: "a folder", lacks: ["keys below keys", "any key"], open: openFolderPlace });
describeStorage({ name: "S3 (s3rver)", lacks: [], open: openS3Place });
describeStorage({
  name: "subnet-api before a folder",
  lacks: ["keys below keys", "any key"],
  open: openSubnetApiPlace,
});
describeStorage({ name: "subnet-api before S3 (s3rver)", lacks: [], open: openSubnetApiS3Place });
