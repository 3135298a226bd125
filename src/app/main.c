/*
 * app/main.c - the `inferpipe` binary: every command of the library, and no workflow of its own.
 */
#include <inferpipe.h>

int main(int argc, char **argv)
{
    return ifp_main(ifp_app_new("inferpipe"), argc, argv);
}
