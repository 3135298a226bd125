/*
 * tests/programs/guarded.c - a program whose server has interceptors of its own: "gateway" lets in
 * only those that name it, "tail" writes what it saw of each request to the file in $GUARDED_TAIL.
 */
#include <inferpipe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int only_from_the_gateway(ifp_request *r, void *user)
{
    const char *via = ifp_request_header(r, "x-gateway");

    if (!via || strcmp(via, user) != 0)
        return ifp_request_refuse(r, IFP_EFORBIDDEN, "come through the gateway");
    ifp_request_answer_header(r, "x-served-by", "guarded");
    return 0;
}

static void write_tail(ifp_request *r, void *user)
{
    const char *path = getenv("GUARDED_TAIL");
    FILE *out = path ? fopen(path, "a") : NULL;

    (void)user;
    if (!out)
        return;
    (void)fprintf(out, "%s %s %s %d\n", ifp_request_method(r), ifp_request_path(r),
                  ifp_request_route(r), ifp_request_status(r));
    (void)fclose(out);
}

int main(int argc, char **argv)
{
    ifp_app *app = ifp_app_new("guarded");

    ifp_interceptor(app, "gateway", only_from_the_gateway, NULL, "eu-1");
    ifp_interceptor(app, "tail", NULL, write_tail, NULL);
    return ifp_main(app, argc, argv);
}
