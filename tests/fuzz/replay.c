/* Where there is no libFuzzer: run the inputs that are named, once each. */
#include "peer.h"

int
main(int argc, char **argv)
{
    static unsigned char data[1 << 20];

    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        size_t len = file ? fread(data, 1, sizeof data, file) : 0;
        unsigned char *copy = malloc(len + 1);

        if (!file || !copy)
            return 2;
        fclose(file);
        memcpy(copy, data, len);
        fprintf(stderr, "Running: %s\n", argv[i]);
        LLVMFuzzerTestOneInput(copy, len);
        free(copy);
    }
    return 0;
}
