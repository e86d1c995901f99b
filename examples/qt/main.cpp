// An application with a licensed function. Server, key and product are compiled in
// (CMakeLists.txt).
#include "license_dialog.hpp"

#include <QApplication>
#include <QMainWindow>
#include <QMenuBar>
#include <QMessageBox>

int main(int count, char **words) {
    QApplication application(count, words);
    seatlock::options options;
    options.product(EXAMPLE_PRODUCT).server(EXAMPLE_SERVER).root_key(EXAMPLE_ROOT_KEY);
    options.host("qt-example", QT_VERSION_STR).terms("2026-01").auto_renew(true);
    license license(options); // before the windows, which ask it until they are gone

    QMainWindow window;
    window.setWindowTitle("Bridge");
    license_dialog dialog(license, &window);
    QObject::connect(window.menuBar()->addAction("License..."), &QAction::triggered, &dialog,
                     &QDialog::open);
    QObject::connect(window.menuBar()->addAction("Export"), &QAction::triggered, &window, [&] {
        if (license.licensed())
            QMessageBox::information(&window, "Bridge", "Exported.");
        else
            dialog.open();
    });
    window.show();
    return application.exec();
}
