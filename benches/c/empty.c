/* A shared library that needs the C library only and does nothing: what loading costs at least. */
int nothing(void);

int nothing(void)
{
    return 0;
}
